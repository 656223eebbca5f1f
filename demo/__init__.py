"""The morning of 9 August 2023 at Lao Bảo, played again with the services in between."""
