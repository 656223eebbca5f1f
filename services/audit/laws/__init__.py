"""What must hold across both logs: each law with its number, its prose, its source and its code."""

from services.audit.laws.judging import Judging, judge
from services.audit.laws.law import Law, Violation
from services.audit.laws.table import LAWS

__all__ = ["LAWS", "Judging", "Law", "Violation", "judge"]
