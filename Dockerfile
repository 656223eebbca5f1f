# Both services in one image; docker-compose.yml says which of them a container is.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

COPY shared shared
COPY services services

RUN useradd --uid 10001 --no-create-home thuan && install -d -o thuan -g thuan -m 0700 /data
USER 10001
VOLUME /data
