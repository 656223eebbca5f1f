"""How strong a signature an organisation takes: the lowest grade of a product, fixed in a question.

The strength of grades is their order in `Grade`, the strongest first. An agreement (`given`,
`confirmed`) that is signed in a weaker way than the question names is none. Two witnesses confirm
nothing: what they bear out waits for its time, and a confirmation of theirs would be a way round.
Refusing and taking back are never held to it: no is no, however it is signed.
"""

from collections.abc import Iterator

from services.consent.facts import ConsentRequested
from services.consent.separation import AGREEMENTS
from shared.contracts.consent import Decision, Grade, Statement
from shared.errors import Reason

STRONGEST_FIRST = list(Grade)


def too_weak(question: ConsentRequested | None, grade: Grade) -> bool:
    """Tell whether an agreement that is signed in this way is less than the question asks for."""
    if question is None or question.lowest_grade is None:
        return False
    lowest = Grade(question.lowest_grade)
    return STRONGEST_FIRST.index(grade) > STRONGEST_FIRST.index(lowest)


def unaccepted(question: ConsentRequested | None, statement: Statement) -> Iterator[Reason]:
    """Yield why the organisation takes no agreement that is signed in the statement's way."""
    confirms = statement.decision is Decision.CONFIRMED and statement.grade is Grade.WITNESSED
    weak = statement.decision in AGREEMENTS and too_weak(question, statement.grade)
    if confirms or weak:
        yield Reason("grade_too_low")
