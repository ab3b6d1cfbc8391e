"""Agreement between annotators: every figure with the number of items behind it."""

from khabar.agreement.across import measure_linking
from khabar.agreement.measuring import measure
from khabar.agreement.pairing import Pairing, make_pairings
from khabar.agreement.records import FEW, Agreed, AgreementReport, Confused, Contrast, Gamma, Part, Values

__all__ = [
    "FEW",
    "Agreed",
    "AgreementReport",
    "Confused",
    "Contrast",
    "Gamma",
    "Pairing",
    "Part",
    "Values",
    "make_pairings",
    "measure",
    "measure_linking",
]
