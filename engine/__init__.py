"""The engine as the shell sees it (docs/engine.md); what is not named here is the engine's own."""

from engine.codes import (
    FeeType, HouseAccount, Kind, LockReason, ObserverRight, OrderFlag, OrderStatus, OrderType,
    PairStatus, Reason, Result, SelfTrade, Side, Tif, WithdrawalStatus,
)
from engine.commands import add_shares, amend_order, cancel_all, cancel_order, cold, place_order
from engine.halt import Halt
from engine.history import Earning, HistoryLate
from engine.history_rows import What
from engine.house import House, HouseSettings
from engine.journal import FolderLocked, JournalDamage
from engine.lobster import run as run_lobster
from engine.replay import rebuild_history, replay_trades, write_snapshot
from engine.replay import replay as replay_folder
from engine.sequencer import HouseStopped, Overloaded, Reply
from engine.turns import turn
from engine.verify import verify as verify_folder
from engine.views import OrderView
from engine.worth import pps_of_day
from pool.share_packing import NumberFault, RowRefused, is_longer_than, packed_rows

__all__ = [
    "Earning", "FeeType", "FolderLocked", "Halt", "HistoryLate", "House", "HouseAccount",
    "HouseSettings", "HouseStopped", "JournalDamage", "Kind", "LockReason", "NumberFault",
    "ObserverRight", "OrderFlag", "OrderStatus", "OrderType", "OrderView", "Overloaded",
    "PairStatus", "Reason", "Reply", "Result", "RowRefused", "SelfTrade", "Side", "Tif", "What",
    "WithdrawalStatus", "add_shares", "amend_order", "cancel_all", "cancel_order", "cold",
    "is_longer_than", "packed_rows", "place_order", "pps_of_day", "rebuild_history",
    "replay_folder", "replay_trades", "run_lobster", "turn", "verify_folder", "write_snapshot",
]
