"""`orebook operator …`: the operator API as sub-commands, against a running house.

Each sub-command is one call and prints what it answered: lines, or with --json the JSON itself.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any

import click

from api.terminal import show_fields, show_rows

DEFAULT_URL = "http://127.0.0.1:8088"
REFUSED = 1
AUTHENTICATION_CODE = 5020


@click.group(short_help="Call a running house as its operator.")
@click.option("--url", default=DEFAULT_URL, show_default=True, envvar="OREBOOK_URL",
              help="Where the house answers.")
@click.option("--user", default="operator", show_default=True, help="A super administrator's name.")
@click.option("--password", envvar="OREBOOK_OPERATOR_PASSWORD",
              help="Better not on the command line, where others see it: in the environment "
                   "variable OREBOOK_OPERATOR_PASSWORD, or typed when asked for.")
@click.option("--client-id", default="", help="Call with this client credential instead.")
@click.option("--secret-key", envvar="OREBOOK_OPERATOR_SECRET_KEY",
              help="The credential's secretKey, or in OREBOOK_OPERATOR_SECRET_KEY.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_context
def operator(context: click.Context, **caller: Any) -> None:
    """Call a running house: as a super administrator, or with a client credential of scope
    `operator`."""
    context.obj = caller


@operator.command("add-coin")
@click.argument("name")
@click.option("--title", help="[default: the name]")
@click.option("--type", "kind", default="coin", show_default=True)
@click.option("--scale", type=int, required=True, help="Decimals, 0 to 8.")
@click.option("--withdraw-fee", default="0", show_default=True, help="What a withdrawal costs.")
@click.pass_obj
def add_coin(caller: dict, name: str, title: str | None, kind: str, scale: int,
             withdraw_fee: str) -> None:
    """List a coin."""
    _call(caller, "POST", "coins", {
        "name": name, "title": title or name, "type": kind, "scale": scale,
        "withdraw_fee": withdraw_fee,
    })


@operator.command("add-pair")
@click.argument("pair", metavar="BASE/QUOTE")
@click.option("--price-scale", type=int, required=True, help="Decimals of a price.")
@click.option("--amount-scale", type=int, required=True, help="Decimals of an amount.")
@click.option("--min-amount", help="The least an order may be for.  [default: the smallest amount]")
@click.option("--maker-fee", default="0.002", show_default=True)
@click.option("--taker-fee", default="0.002", show_default=True)
@click.option("--self-trade", default="cancel_maker", show_default=True,
              type=click.Choice(["cancel_maker", "cancel_taker", "cancel_both", "none"]),
              help="What happens when a user's order would meet its own.")
@click.pass_obj
def add_pair(caller: dict, min_amount: str | None, **body: Any) -> None:
    """List a pair."""
    if min_amount is not None:
        body["min_amount"] = min_amount
    _call(caller, "POST", "pairs", body)


@operator.command("pair-status")
@click.argument("pair")
@click.argument("status", type=click.Choice(["open", "cancel_only", "halted"]))
@click.pass_obj
def pair_status(caller: dict, pair: str, status: str) -> None:
    """Open a pair for trading, or stop it."""
    _call(caller, "POST", "pairs/status", {"pair": pair, "status": status})


@operator.command()
@click.argument("user")
@click.argument("coin")
@click.argument("amount")
@click.argument("txid")
@click.option("--by-uid", is_flag=True, help="USER is a uid, not a name.")
@click.pass_obj
def deposit(caller: dict, user: str, coin: str, amount: str, txid: str, by_uid: bool) -> None:
    """Credit a deposit, once per coin, TXID and user."""
    if by_uid and not user.isdecimal():
        raise click.BadParameter("with --by-uid it must be a number", param_hint="USER")
    _call(caller, "POST", "deposits", {
        "user": int(user) if by_uid else user, "coin": coin, "amount": amount, "txid": txid,
    })


@operator.command()
@click.option("--status", help="Only these.", type=click.Choice(
    ["requested", "approved", "signed", "finished", "rejected"]))
@click.option("--user", "user", help="Only this user's.")
@click.option("--account", help="Only this sub-account's.")
@click.option("--limit", type=int, help="At most so many, newest first.")
@click.pass_obj
def withdrawals(caller: dict, **query: Any) -> None:
    """Show withdrawals, newest first."""
    _call(caller, "GET", "withdrawals",
          query={name: str(value) for name, value in query.items() if value is not None})


@operator.command()
@click.argument("id", type=int)
@click.argument("action", type=click.Choice(["approve", "reject", "finish"]))
@click.option("--txid", help="With finish: the transaction that paid it.")
@click.pass_obj
def withdrawal(caller: dict, id: int, action: str, txid: str | None) -> None:
    """Approve, reject or finish the withdrawal ID."""
    _step(caller, f"withdrawals/{id}", action, txid)


@operator.command("add-credential")
@click.argument("account", required=False)
@click.option("--scope", type=click.Choice(["account", "operator"]), required=True)
@click.pass_obj
def add_credential(caller: dict, account: str | None, scope: str) -> None:
    """Make a client credential, for the user ACCOUNT; its secrets are shown this once.

    The scope `operator` needs no ACCOUNT.
    """
    named = {"account": account} if account is not None else {}
    _call(caller, "POST", "credentials", named | {"scope": scope})


@operator.command("remove-credential")
@click.argument("client_id")
@click.pass_obj
def remove_credential(caller: dict, client_id: str) -> None:
    """Remove a client credential; it is refused from then on."""
    _call(caller, "DELETE", f"credentials/{client_id}")


@operator.command()
@click.pass_obj
def state(caller: dict) -> None:
    """Show how far the house is, and the hash of its state."""
    _call(caller, "GET", "state")


@operator.command()
@click.argument("coin")
@click.option("--difficulty", required=True, help="Of the block that is mined now.")
@click.option("--subsidy", required=True, help="What a block brings beside its fees, in the coin.")
@click.option("--fees", "fees_per_block", required=True, help="Fees of a block, in the coin.")
@click.option("--blocks-today", type=int, help="How many blocks this UTC day has had.")
@click.pass_obj
def network(caller: dict, blocks_today: int | None, **body: Any) -> None:
    """Say what holds for the chain of COIN from now on; the first one begins its mining."""
    if blocks_today is not None:
        body["blocks_today"] = blocks_today
    _call(caller, "POST", "network", body)


@operator.command()
@click.pass_obj
def networks(caller: dict) -> None:
    """Show the state of each mined coin's chain."""
    _call(caller, "GET", "network")


@operator.command()
@click.argument("file", type=click.File("rb"))
@click.option("--source", type=int, help="Who counts these shares; together with --batch.")
@click.option("--batch", type=int, help="Number of this batch, above the last one of its source.")
@click.pass_obj
def shares(caller: dict, file: Any, source: int | None, batch: int | None) -> None:
    """Count the shares in FILE (- is standard input): a JSON list of up to 10,000 rows."""
    numbered = {"source": source, "batch": batch}
    _call(caller, "POST", "shares", {"rows": _rows(file.read())} | {
        name: value for name, value in numbered.items() if value is not None})


@operator.command()
@click.argument("coin")
@click.argument("day")
@click.pass_obj
def settle(caller: dict, coin: str, day: str) -> None:
    """Settle the UTC DAY (2026-01-31) of COIN now; a second time changes nothing."""
    _call(caller, "POST", "settle", {"coin": coin, "day": day})


@operator.command()
@click.argument("start")
@click.argument("end")
@click.option("--coin", help="Only of this coin.")
@click.pass_obj
def settlements(caller: dict, start: str, end: str, coin: str | None) -> None:
    """Show the sums of the days settled, from START to END."""
    query = {"start": start, "end": end}
    _call(caller, "GET", "settlements", query=query | ({"coin": coin} if coin else {}))


@operator.command()
@click.option("--day", required=True, help="The UTC day that was settled.")
@click.option("--csv", "file", type=click.File("wb", lazy=True),
              help="Write a CSV file instead.")
@click.pass_obj
def payments(caller: dict, day: str, file: Any) -> None:
    """Show what each sub-account is paid for a day."""
    if file is None:
        _call(caller, "GET", "payments", query={"day": day})
        return
    file.write(_asked(_with_client(
        caller, lambda client: client.operator_file("payments", {"day": day, "format": "csv"}))))


@operator.command()
@click.argument("id", type=int)
@click.argument("action", type=click.Choice(["finish", "fail"]))
@click.option("--txid", help="With finish: the transaction that paid it.")
@click.pass_obj
def payment(caller: dict, id: int, action: str, txid: str | None) -> None:
    """Finish the pool's payment ID, or let it fail: its money returns."""
    _step(caller, f"payments/{id}", action, txid)


@operator.command()
@click.pass_obj
def transactions(caller: dict) -> None:
    """Show the signed transactions that are not finished with."""
    _call(caller, "GET", "transactions")


@operator.command()
@click.argument("txid")
@click.pass_obj
def unsign(caller: dict, txid: str) -> None:
    """Give a signed transaction up, so that its withdrawals are paid anew.

    Only where another, confirmed transaction has spent one of its inputs: else they may be paid
    twice.
    """
    _call(caller, "POST", f"transactions/{txid}", {"action": "unsign"})


@operator.command()
@click.argument("account")
@click.pass_obj
def lock(caller: dict, account: str) -> None:
    """Stop the payments of the sub-account ACCOUNT."""
    _call(caller, "POST", "accounts/lock", {"user": account, "locked": True})


@operator.command()
@click.argument("account")
@click.pass_obj
def unlock(caller: dict, account: str) -> None:
    """Let the payments of the sub-account ACCOUNT go on."""
    _call(caller, "POST", "accounts/lock", {"user": account, "locked": False})


def _step(caller: dict, path: str, action: str, txid: str | None) -> None:
    """One step of a withdrawal or a payment."""
    if (action == "finish") != (txid is not None):
        raise click.UsageError("--txid belongs to finish, and finish needs it")
    _call(caller, "POST", path, {"action": action} | ({"txid": txid} if txid is not None else {}))


def _rows(written: bytes) -> Any:
    """Rows of shares whose decimals keep their digits; a time loses them."""
    def plain(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {name: value if not isinstance(value, Decimal)
                else int(value) if name == "at" else str(value) for name, value in row.items()}

    try:
        rows = json.loads(written, parse_float=Decimal)
    except ValueError:
        raise click.BadParameter("must be JSON", param_hint="FILE") from None
    return [plain(row) for row in rows] if isinstance(rows, list) else rows


def _call(caller: dict, method: str, path: str, body: dict | None = None,
          query: dict[str, str] | None = None) -> None:
    """One call; prints the answer."""
    answer = _asked(_with_client(
        caller, lambda client: client.operator(method, path, body, query)))
    if caller["as_json"]:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer)


def _asked(call: Coroutine[Any, Any, Any]) -> Any:
    """What a call answers, or on standard error why there is no answer, and an exit with 1."""
    # An HTTP client takes longer to import than `--help` to answer.
    from api.client import CallRefused, Unreachable

    try:
        return asyncio.run(call)
    except CallRefused as error:
        hint = " (who calls is not shown)" if error.code == AUTHENTICATION_CODE else ""
        click.echo(f"orebook: refused, {error.code}: {error}{hint}", err=True)
        raise SystemExit(REFUSED) from None
    except Unreachable as error:
        click.echo(f"orebook: {error}", err=True)
        raise SystemExit(REFUSED) from None


async def _with_client(caller: dict, call: Callable[[Any], Awaitable[Any]]) -> Any:
    """What a call gives, with a client that shows who the caller is."""
    from api.client import HouseClient

    if caller["client_id"]:
        secret_key = caller["secret_key"] or click.prompt("Secret key", hide_input=True, err=True)
        client = HouseClient(caller["url"], caller["client_id"], secret_key)
    else:
        password = caller["password"] or click.prompt("Password", hide_input=True, err=True)
        client = HouseClient(caller["url"])
    async with client:
        if not caller["client_id"]:
            await client.login_operator(caller["user"], password)
        return await call(client)


def _show(answer: Any) -> None:
    """A list of maps as a table, a map as lines, nothing as "done"."""
    if isinstance(answer, list):
        show_rows(answer)
    elif isinstance(answer, dict):
        show_fields(answer)
    else:
        click.echo("done" if answer is None else answer)
