"""The evaluation doubts itself: each check is one file and its finding is data in the report, not a log line."""

from weakspot.doubts.catalogue import CHECKS as CHECKS
from weakspot.doubts.check import Check as Check
from weakspot.doubts.context import Context as Context
from weakspot.doubts.context import gather as gather
from weakspot.doubts.doctor import doctor as doctor
from weakspot.doubts.finding import Finding as Finding
from weakspot.doubts.running import examine as examine
