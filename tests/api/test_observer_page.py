"""The page of an observer link: what each right shows, what is said of hostile names, who is kept
out; over HTTP, from a house that has worked for two days and a half.
"""

import html
import re
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin

import pytest

from api import times
from api.config import Config, Limits, Operator, Pool, Storage
from api.dialects import observer_page
from api.mining import observer_earnings, observer_view, profits
from engine import Kind, ObserverRight
from tests.api.action_apis import ActionApi
from tests.api.conftest import HouseThread
from tests.support import past

CHROMIUM = Path("/usr/bin/chromium")
NASTY = '<script>alert("1")</script>&amp;\' {{ 7 * 7 }}'
NASTY_WORKER = '<img src=x onerror="alert(1)">'
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
ADDRESS_SHORT = "bc1qw…f3t4"
DAY_S, HOUR_S = 86_400, 3_600
RIGHTS = ObserverRight.DASHBOARD, ObserverRight.WORKER, ObserverRight.PROFIT
SECTIONS = {ObserverRight.DASHBOARD: {"speed", "workers"}, ObserverRight.WORKER: {"workers"},
            ObserverRight.PROFIT: {"earnings"}}
ALL = int(sum(RIGHTS))
WORKERS = 450               # three pages
QUIET = 20                  # of them have stopped
HOUR = re.compile(r"\d{4}-\d\d-\d\d \d\d:00")
VOID = {"meta", "!doctype", "input", "br"}


def token(number):
    return bytes([number]) * 16


def path(number, query=""):
    return f"/ob/{token(number).hex()}{query}"


class Page(HTMLParser):
    """A page's sections, links, texts and cells; every element closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.links, self.tags, self.texts = [], set(), [], set(), []
        self.titles, self.rows, self.following = [], [], ""
        self.handle_data = self.read_text
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        self.tags.add(tag)
        if "title" in attributes:
            self.titles.append(attributes["title"])
        if tag == "section":
            self.sections.add(attributes["id"])
        elif tag == "a":
            self.links.append(attributes["href"])
            if attributes.get("rel") == "next":
                self.following = attributes["href"]
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def read_text(self, text):
        if "style" in self.open:
            return
        self.texts.append(text)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += text

    def workers(self):
        """The cells of the list of workers, without its head."""
        heads = [at for at, row in enumerate(self.rows) if row and row[0] == "Worker"]
        return self.rows[heads[0] + 1:] if heads else []


async def story(told):
    """Two days and a half of a farm with two coins, until now."""
    now_s = int(time.time())
    today = now_s // DAY_S
    btc, bch = told.coin("BTC"), told.coin("BCH")
    for coin, difficulty in ((btc, "21448277761059.71"), (bch, "448277761059.71")):
        await told.do(Kind.SET_NETWORK, coin=coin, difficulty=difficulty, subsidy=625_000_000,
                      fees_per_block=12_000_000)
    _, farm = await told.account("farm_one")
    _, other = await told.account("farm_two")
    await told.do(Kind.SET_COIN_HARVEST, account=farm, coin=btc, address=ADDRESS, min=100_000)
    for at_s in range(told.now_s, now_s - HOUR_S, HOUR_S):
        told.now_s = at_s
        await told.shares([(farm, "rack0.old", btc, 1_000, 7, 1 << 20, at_s),
                           (farm, "rack0.cash", bch, 10, 1, 1 << 20, at_s)])
    told.now_s = now_s - 900
    names = [NASTY_WORKER, *(f"rack{number // 100}.s19-{number:03}" for number in range(WORKERS))]
    await told.shares([(farm, name, btc, 64, 1, 1 << 20, told.now_s) for name in names])
    told.now_s = now_s - 120
    await told.shares([(farm, name, btc, 64, 0, 1 << 20, told.now_s)
                       for name in names[:-QUIET]])
    await told.shares([(other, "of-another", btc, 64, 0, 1 << 20, told.now_s)])
    # The second day is over, however early this is.
    told.now_s = max(now_s - 60, today * DAY_S + 1)
    for day in (today - 2, today - 1):
        for coin in (btc, bch):
            await told.settle(coin, day)
    paid = told.core.withdrawals.by_request_id(farm, f"pay|{btc}|{today - 2}")
    await told.do(Kind.FINISH_WITHDRAWAL, id=paid.id, txid="ab" * 32)
    await told.do(Kind.ADD_GROUP, account=farm, name=NASTY)
    await told.do(Kind.SET_WORKER_GROUP, account=farm, id=1, workers=[NASTY_WORKER])
    for rights in range(1, ALL + 1):
        await told.do(Kind.ADD_OBSERVER, account=farm, token=token(rights), rights=rights,
                      remark=NASTY)
    await told.do(Kind.ADD_OBSERVER, account=other, token=token(100), rights=ALL, remark="")
    return SimpleNamespace(farm=farm, other=other, btc=btc, bch=bch, today=today)


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """A house that serves what was told, and what the story has given."""
    directory = tmp_path_factory.mktemp("observed") / "house"
    config = Config(data=Storage(dir=str(directory), segment_mb=1),
                    operator=Operator("operator-password"))
    told = past.tell(directory, config, (int(time.time()) // DAY_S - 2) * DAY_S, story)
    thread = HouseThread(directory, pool=Pool(settle=False))
    thread.told = told
    yield thread
    thread.close()


def opened(house, number, query=""):
    answer = house.request("GET", path(number, query))
    assert answer.status == 200, answer.body
    return Page(answer.body.decode())


# -- what is shown ---------------------------------------------------------------------------------

@pytest.mark.parametrize("rights", range(1, ALL + 1))
def test_a_page_shows_what_its_rights_allow_and_nothing_else(farm, rights):
    page = opened(farm, rights)
    allowed = set().union(*(SECTIONS[right] for right in RIGHTS if rights & right))
    assert page.sections == allowed
    assert "farm_one" in page.text and NASTY in page.text
    assert ("30 minutes" in page.text) == bool(rights & 3)
    assert bool(page.workers()) == bool(rights & ObserverRight.WORKER)
    assert (ADDRESS_SHORT in page.text) == bool(rights & ObserverRight.PROFIT)
    assert "of-another" not in page.text and "Beijing time" in page.text


def now_s_of(house):
    return max(int(time.time()), house.house.core.ts_ns // 10**9)


def agrees(house, shown, plain):
    """What is shown of the present is what the core says just before or just after."""
    before = plain(now_s_of(house))
    assert shown() in (before, plain(now_s_of(house)))


def test_the_speeds_are_those_of_the_core(farm):
    workers = farm.house.core.workers
    agrees(farm, lambda: opened(farm, ObserverRight.DASHBOARD).titles[:4], lambda now_s: [
        f"{speed.valid_speed} H/s" for speed in workers.account_speeds(farm.told.farm, now_s)])

    def hours():
        return [(row[1], row[2]) for row in opened(farm, ObserverRight.DASHBOARD).rows
                if HOUR.fullmatch(row[0])]
    agrees(farm, hours, lambda now_s: [
        observer_view.shown(*hour[1:])[::2]
        for hour in reversed(workers.account_hours(farm.told.farm, now_s))])
    assert len([hour for hour in hours() if hour[0] != "0 H/s"]) >= 22


def test_the_workers_are_counted_by_their_status(farm):
    text = opened(farm, ObserverRight.DASHBOARD).text
    # The two of the first days have been silent for an hour at least, and the quiet ones.
    assert f"running {WORKERS + 1 - QUIET} stopped {QUIET + 2} invalid 0" in text


def test_the_pages_of_the_list_hold_each_worker_once(farm):
    names, at = [], path(ObserverRight.WORKER)
    while at:
        page = Page(farm.request("GET", at.partition("#")[0]).body.decode())
        names += [row[0] for row in page.workers()]
        assert len(page.workers()) <= observer_view.WORKERS_PER_PAGE
        at = urljoin(at, page.following) if page.following else ""
    kept = farm.house.core.workers.list_of(farm.told.farm, now_s_of(farm), 10, 24)
    assert names == [line.name for line in kept]
    assert len(names) == WORKERS + 3


def test_a_row_says_what_the_core_knows_of_a_worker(farm):
    rows = opened(farm, ObserverRight.WORKER, "?q=%3Cimg").workers()
    assert [cell for place, cell in enumerate(rows[0]) if place in (0, 1, 6)] == [
        NASTY_WORKER, "running", NASTY]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0][5])
    assert rows[0][3] == f"{observer_view.speed_text((128 << 20 << 32) // 1800)} 0.8 %"


@pytest.mark.parametrize(("query", "count"), [
    ("?q=rack1.", 100), ("?q=RACK1.S19-15", 10), ("?q=farm_one.rack4", 50), ("?q=nobody", 0),
    ("?status=stopped", QUIET + 2), ("?status=invalid", 0), ("?q=rack4&status=stopped", QUIET),
    ("?q=%20rack4%20", 50), ("?q=%ff%00rack4", 0), ("?status=x&q=rack4", 50), ("?page=3", 53),
    ("?page=9999", 53), ("?page=-1", 200), ("?page=9" + "9" * 5_000, 200), ("?page=%D9%A3", 200),
    ("?until=never", 200), ("?until=0001-01-01", 200), ("?q=" + "x" * 4_000, 0), ("?q=a&q=b", 0),
])
def test_the_list_can_be_searched_and_no_query_breaks_it(farm, query, count):
    assert len(opened(farm, ALL, query).workers()) == count


def test_a_search_is_kept_by_the_links(farm):
    page = opened(farm, ObserverRight.WORKER, "?q=%22%3E%3Cb%3Erack&status=running")
    assert "b" not in page.tags
    links = [link for link in page.links if link.startswith("?")]
    assert links and all("q=%22%3E%3Cb%3Erack" in link for link in links)


def test_a_list_is_looked_through_in_slices_as_a_whole(farm, monkeypatch):
    monkeypatch.setattr(observer_view, "LOOKED_AT_ONCE", 7)
    core, pool, now_s = farm.house.core, Pool(), now_s_of(farm)
    lines = core.workers.list_of(farm.told.farm, now_s, pool.running_minutes, pool.stopped_hours)
    for status in ("", "running", "stopped", "invalid"):
        for prefix in ("", "RACK1"):
            found = farm.run(observer_view.fitting_workers(
                core, farm.told.farm, now_s, pool, prefix=prefix, status=status))
            assert list(found) == [line.number for line in lines
                             if status in ("", observer_view.STATUSES[line.status])
                             and line.name.startswith(prefix.lower())]


def test_a_number_that_has_become_anothers_is_not_shown(farm):
    core, now_s = farm.house.core, now_s_of(farm)
    mine, others = (core.workers.workers_of(number, now_s)
                    for number in (farm.told.farm, farm.told.other))
    page = observer_view.worker_page(
        core, farm.told.farm, now_s, Pool(), times.zone(times.BEIJING),
        [others[0], mine[0], 2**31], 1)
    assert [row.name for row in page.rows] == [core.workers.name_of(mine[0])]


def test_ten_thousand_workers_are_no_large_page(farm):
    async def feed():
        names = [f"w{number:05}-{'x' * 50}" for number in range(10_000)]
        told = past.PastHouse(farm.house, past.Clock(now_s_of(farm)))
        await told.shares([(farm.told.other, name, farm.told.btc, 1, 1, 1 << 20, told.now_s)
                           for name in names])
    farm.run(feed())
    answer = farm.request("GET", path(100, "?page=2"))
    assert len(Page(answer.body.decode()).workers()) == observer_view.WORKERS_PER_PAGE
    assert len(answer.body) < 150_000


# -- earnings --------------------------------------------------------------------------------------

def earnings_of(page):
    return {(row[0], row[1]): row[2:] for row in page.rows if len(row) == 7 and row[1] in COINS}


COINS = ("BTC", "BCH")


def coins(units):
    return f"{units // 10**8}.{units % 10**8:08}"


def test_the_days_are_those_of_the_history(farm):
    told = farm.told
    page = opened(farm, ObserverRight.PROFIT)
    shown = earnings_of(page)
    days = [observer_view.day_text(told.today - back) for back in (1, 2)]
    assert set(shown) == {(day, coin) for day in days for coin in COINS}
    states = {days[0]: "payment on its way", days[1]: "paid"}
    for back, day in enumerate(days, 1):
        for name, coin in (("BTC", told.btc), ("BCH", told.bch)):
            earning, = farm.run(farm.house.history.earnings(
                told.farm, coin, told.today - back, told.today - back))
            earned, sold, paid, to, state = shown[day, name]
            assert earned == coins(earning.net) and earning.net > 0 and sold == ""
            if name == "BTC":
                payment = farm.house.core.withdrawals.get(earning.payment)
                assert (paid, to) == (f"{coins(payment.amount - payment.fee)} BTC", ADDRESS_SHORT)
                assert state == states[day]
            else:
                assert (paid, to, state) == ("", "", "kept: nowhere to pay it to")


def test_the_balance_and_all_that_was_earned(farm):
    told, core = farm.told, farm.house.core
    page = opened(farm, ObserverRight.PROFIT)
    sums = {row[0]: row[1:] for row in page.rows if row[0] in COINS}
    assert set(sums) == set(COINS)
    for coin, name in ((told.btc, "BTC"), (told.bch, "BCH")):
        available, frozen = core.balance(told.farm, coin)
        total = core.settlements.totals.get(told.farm, coin).earned
        assert sums[name][1:] == [coins(total), coins(available), coins(frozen)]
        agrees(farm, lambda: sums[name][0], lambda now_s: coins(
            profits.today_units(core, told.farm, coin, now_s)))
    assert core.balance(told.farm, told.btc)[1] > 0


def test_no_page_leads_to_an_address(farm):
    body = farm.request("GET", path(ALL)).body.decode()
    assert ADDRESS not in body and "ab" * 32 not in body


def test_older_days_have_pages_too(farm):
    told = farm.told
    before = observer_view.day_text(told.today - 2)
    page = opened(farm, ObserverRight.PROFIT, f"?until={before}")
    assert {day for day, _ in earnings_of(page)} == {before}
    later = [link for link in page.links if link.endswith("#earnings") and link.startswith("?")]
    assert later == ["?#earnings"]
    empty = opened(farm, ObserverRight.PROFIT, "?until=2001-01-31")
    assert "Nothing was earned in these days. 2001-01-01 to 2001-01-31." in empty.text


def test_days_that_cannot_be_had_now_do_not_hide_the_balance(farm):
    """The history may be behind; what the core knows is shown all the same."""
    async def page():
        core, today = farm.house.core, farm.told.today
        late = observer_earnings.History(today - 31, today - 1, None)
        shown = observer_earnings.earnings(core, farm.told.farm, now_s_of(farm), late, str)
        return observer_page.template("").render(
            problem=None, account="farm_one", remark="", now="now", zone="Beijing time",
            day_end="08:00", sections=["Earnings"], dashboard=None, counts=None, workers=None,
            earnings=shown)
    text = Page(farm.run(page())).text
    assert "cannot be shown now" in text and coins(
        farm.house.core.balance(farm.told.farm, farm.told.bch)[0]) in text


@pytest.mark.slow
def test_one_without_work_is_told_so(tmp_path):
    house = HouseThread(tmp_path / "house")
    try:
        account = house.submit(Kind.ADD_ACCOUNT, username="nobody_yet", email="n@example.com",
                               password_hash=past.NO_PASSWORD)["account"]
        house.submit(Kind.ADD_OBSERVER, account=account, token=token(1), rights=ALL)
        page = opened(house, 1)
        assert page.sections == {"speed", "earnings", "workers"}
        assert "There are no workers yet." in page.text and "0 H/s" in page.text
    finally:
        house.close()


# -- who gets in -----------------------------------------------------------------------------------

def test_names_are_text_and_no_markup(farm):
    page = opened(farm, ALL, "?q=%3Cimg")
    assert not page.tags & {"script", "img", "link", "iframe", "object", "b"}
    assert NASTY_WORKER in page.texts and NASTY in page.texts
    assert all(link.startswith(("?", "#")) for link in page.links)
    body = html.unescape(farm.request("GET", path(ALL)).body.decode())
    assert not re.search(r"url\(|@import|https?:", body)


@pytest.mark.parametrize("at", [path(ALL), path(200), "/ob/x"])
def test_a_page_is_kept_framed_indexed_and_told_by_nobody(farm, at):
    headers = farm.request("GET", at).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'" and policy[1].startswith("style-src 'sha256-")
    assert set(policy[2:]) == {"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"}
    assert headers["X-Frame-Options"] == "DENY" and headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_link_ends_at_once_and_is_as_one_that_never_was(farm):
    farm.submit(Kind.ADD_OBSERVER, account=farm.told.farm, token=token(50), rights=ALL)
    link = farm.house.core.observers.by_token(token(50))
    assert farm.request("GET", path(50)).status == 200
    farm.submit(Kind.CHANGE_OBSERVER, id=link.id, rights=int(ObserverRight.WORKER))
    assert opened(farm, 50).sections == {"workers"}
    farm.submit(Kind.REMOVE_OBSERVER, id=link.id)
    ended = farm.request("GET", path(50))
    assert ended.status == 404 and "farm_one" not in ended.body.decode()
    farm.submit(Kind.ADD_OBSERVER, account=farm.told.farm, token=token(0xab), rights=ALL)
    for wrong in ("nothing", "A" * 32, "%ff", "AB" * 16, "ab" * 16 + "%00", "ab" * 17, "ab" * 15):
        answer = farm.request("GET", f"/ob/{wrong}")
        assert (answer.status, answer.body) == (404, ended.body), wrong


def test_a_link_of_the_action_api_opens_the_page_until_it_is_deleted(farm):
    api = ActionApi(farm)
    before = {link["linkId"] for link in api.done("SubAccount.GetObserverList",
                                                  userName="farm_two")}
    api.done("SubAccount.AddObserverInfo", userName="farm_two", remark="for the bank",
             rights=["profit_observer"])
    link, = (link for link in api.done("SubAccount.GetObserverList", userName="farm_two")
             if link["linkId"] not in before)
    answer = farm.request("GET", link["link"])
    page = Page(answer.body.decode())
    assert page.sections == {"earnings"} and "for the bank" in page.text
    api.done("SubAccount.DeleteObserverInfo", linkId=link["linkId"])
    assert farm.request("GET", link["link"]).status == 404


def test_only_reading_is_served(farm):
    assert farm.request("HEAD", path(ALL)).status == 200
    for method in ("POST", "PUT", "DELETE"):
        assert farm.request(method, path(ALL)).status == 404


def test_who_tries_wrong_links_must_wait(own_house):
    house = own_house(limits=Limits(logins_per_minute=1))
    account = house.submit(Kind.ADD_ACCOUNT, username="watched", email="n@example.com",
                           password_hash=past.NO_PASSWORD)["account"]
    house.submit(Kind.ADD_OBSERVER, account=account, token=token(1), rights=ALL)
    statuses = [house.request("GET", path(number)).status for number in (1, 2, 1, 3, 4, 5, 6, 7, 1)]
    assert statuses == [200, 404, 200, 404, 404, 404, 404, 429, 200]


def test_a_stopped_house_shows_a_page_that_says_so(own_house):
    house = own_house()
    account = house.submit(Kind.ADD_ACCOUNT, username="watched", email="n@example.com",
                           password_hash=past.NO_PASSWORD)["account"]
    house.submit(Kind.ADD_OBSERVER, account=account, token=token(1), rights=3)

    async def stop():
        house.house._sequencer._stop("the disk is gone", [])
    house.run(stop())
    answer = house.request("GET", path(1))
    assert answer.status == 503 and "The house has stopped." in Page(answer.body.decode()).text


def test_pages_are_counted(farm):
    farm.request("GET", path(ALL))
    farm.request("GET", path(201))
    text = farm.request("GET", "/metrics").body.decode()
    for outcome in ("ok", "refused"):
        assert re.search(r'orebook_answers_total\{call="page",dialect="observer",outcome="'
                         + outcome + r'"\} [1-9]', text)


# -- numbers for people ----------------------------------------------------------------------------

@pytest.mark.parametrize(("speed", "text"), [
    (0, "0 H/s"), (999, "999 H/s"), (1_000, "1.00 kH/s"), (24_561_271_905_291_252, "24.56 PH/s"),
    (999_999_999_999_999, "999.99 TH/s"), (14_000_000_000_000_000_000, "14.00 EH/s"),
    (2**100, "1267650600.22 ZH/s"),
])
def test_a_speed_is_rounded_down(speed, text):
    assert observer_view.speed_text(speed) == text


@pytest.mark.parametrize(("most", "top", "upper", "middle"), [
    (0, 0, "", ""), (1, 1, "1 H/s", "0.5 H/s"), (99, 100, "100 H/s", "50 H/s"),
    (1_001, 1_500, "1.5 kH/s", "0.75 kH/s"), (44_990_000_000_000_000, 5 * 10**16, "50 PH/s",
                                              "25 PH/s"),
    (5 * 10**16, 5 * 10**16, "50 PH/s", "25 PH/s"),
])
def test_the_chart_ends_at_a_plain_number(most, top, upper, middle):
    assert observer_view.scale_top(most) == top
    assert (observer_view.scale_text(top), observer_view.scale_text(top, 2)) == (upper, middle)
    assert observer_view.bar_height(most, top) <= observer_view.CHART_HEIGHT


# -- a real browser --------------------------------------------------------------------------------

def browse(tmp_path, *arguments):
    """What a browser without a screen prints, and what it complains about."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path}/profile", *arguments],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no chromium on this machine")
@pytest.mark.parametrize("width", [500, 1_200])
def test_a_browser_shows_it_and_has_nothing_to_complain_about(farm, tmp_path, width):
    url = f"http://127.0.0.1:{farm.port}{path(ALL)}"
    picture = tmp_path / "page.png"
    _, complaints = browse(tmp_path, f"--window-size={width},2000", f"--screenshot={picture}", url)
    assert complaints == []
    # A page without its style or its chart is far smaller.
    assert picture.read_bytes()[:4] == b"\x89PNG" and picture.stat().st_size > 60_000
    shown, complaints = browse(tmp_path, "--dump-dom", url)
    assert complaints == []
    read = Page(shown)
    assert read.sections == {"speed", "earnings", "workers"}
    assert NASTY_WORKER in read.texts and not read.tags & {"script", "img"}
