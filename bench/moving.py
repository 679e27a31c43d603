#!/usr/bin/env python3
"""Runs a move from Mattermost and back on the dump of one, and prints each check with `ok` or `FAILED`.

  bench/moving.py DUMP PEOPLE [--program PATH] [--postgres FOLDER]

DUMP is what `pg_dump` of a Mattermost 11.6 wrote. It is loaded into a PostgreSQL in a temporary folder, which ends with
the run. The end of all sessions is set to 0, because those of a dump are over. Each line of PEOPLE has a username, the
password and, where there is one, the key of the one-time codes. Nothing is sent to another machine.
"""

import argparse
import base64
import difflib
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOBODY = 65534
FAILED = []

# The people who log in with a password here, in SQL: active, of this server, no guest and of no login service.
LOGS_IN = """u.deleteat = 0 AND COALESCE(u.authservice, '') = '' AND COALESCE(u.remoteid, '') = ''
    AND u.roles NOT LIKE '%system_guest%'"""

# A member of a team with a scheme who is no administrator, and a person who is not in the team.
OUTSIDER = f"""SELECT m.teamid, u.username, (SELECT o.id FROM users o WHERE o.deleteat = 0 AND NOT EXISTS (
        SELECT 1 FROM teammembers n WHERE n.teamid = m.teamid AND n.userid = o.id) ORDER BY o.id LIMIT 1)
    FROM teammembers m JOIN teams t ON t.id = m.teamid JOIN users u ON u.id = m.userid
    WHERE t.schemeid <> '' AND m.deleteat = 0 AND NOT COALESCE(m.schemeadmin, false) AND NOT u.mfaactive
    AND u.roles = 'system_user' AND {LOGS_IN} ORDER BY u.username LIMIT 1"""

# The people who are no administrators, and an administrator.
OTHERS = f"SELECT u.id FROM users u WHERE u.roles NOT LIKE '%system_admin%' AND {LOGS_IN}"
ADMIN = f"SELECT u.username FROM users u WHERE u.roles LIKE '%system_admin%' AND NOT u.mfaactive AND {LOGS_IN} ORDER BY 1 LIMIT 1"

# The columns of Mattermost that name an account.
NAMING = """SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t
    USING (table_schema, table_name) WHERE table_schema = 'public' AND t.table_type = 'BASE TABLE'
    AND c.column_name IN ('userid', 'creatorid', 'ownerid') AND c.table_name NOT LIKE 'qd\\_%' ORDER BY 1, 2"""

# What stays of a deleted account: the history of channels, and the channels that it made. The rows of the trail stay too.
STAYS = {"channelmemberhistory", "channels"}
FOREIGN_AUDITS = "SELECT COUNT(*) FROM audits a WHERE userid = '{}' AND NOT EXISTS (SELECT 1 FROM qd_audits q WHERE q.id = a.id)"

# The tables whose numbers of rows the report of the import must have.
COUNTED = ["users", "teammembers", "useraccesstokens", "roles", "audits", "configurations"]


def check(what, is_right, problem=""):
    print(f"{'ok    ' if is_right else 'FAILED'} {what}{'' if is_right else f': {problem}'}", flush=True)
    if not is_right:
        FAILED.append(what)


class Postgres:
    """A PostgreSQL in a folder of its own."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.as_user:
            os.chown(folder, NOBODY, NOBODY)
        data = folder / "data"
        self.run("initdb", "-U", "mmuser", "-A", "trust", "-E", "UTF8", "--no-sync", "-D", str(data))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = [f"-c{setting}" for setting in ("listen_addresses=127.0.0.1", "fsync=off")]
        arguments = [programs / "postgres", "-D", data, "-k", folder, "-p", str(self.port), *settings]
        self.server = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=folder, **self.as_user)
        for line in self.server.stderr:
            if "ready to accept" in line:
                break
        else:
            sys.exit("the PostgreSQL did not start")
        # A full pipe would stop the server. The thread ends with it.
        threading.Thread(target=self.server.stderr.read, daemon=True).start()

    def run(self, program, *arguments, **options):
        command = [self.programs / program, *arguments]
        output = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, **self.as_user, **options)
        if output.returncode:
            sys.exit(f"{program}: {output.stderr}")
        return output.stdout

    def address(self, name):
        return f"postgres://mmuser@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def rows(self, name, sql):
        text = self.run("psql", "-XAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", self.address(name), "-c", sql)
        return [line.split("\t") for line in text.splitlines()]

    def load(self, name, dump):
        self.rows("postgres", f"CREATE DATABASE {name}")
        self.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", self.address(name), stdin=open(dump, encoding="utf-8"))
        self.rows(name, "UPDATE public.sessions SET expiresat = 0")

    def dump(self, name, *arguments):
        text = self.run("pg_dump", *arguments, self.address(name))
        return [line for line in text.splitlines() if not re.match(r"\\(un)?restrict ", line)]

    def end(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait()


class Program:
    """The program, in a working folder with its database."""

    def __init__(self, path, folder, data_source):
        self.path, self.folder, self.data_source = path, folder, data_source
        folder.mkdir()
        (folder / "config.toml").write_text("[ServiceSettings]\n")
        self.server = None

    def variables(self):
        names = {name: value for name, value in os.environ.items() if not name.startswith("MM_")}
        with_port = {"MM_SERVICESETTINGS_LISTENADDRESS": "127.0.0.1:0", "MM_LOGSETTINGS_ENABLECONSOLE": "false",
                     "MM_SERVICESETTINGS_ENABLEAPIUSERDELETION": "true"}
        source = {"MM_SQLSETTINGS_DATASOURCE": self.data_source, "MM_FILESETTINGS_DIRECTORY": str(self.folder / "files")}
        return names | with_port | source

    def run(self, *arguments):
        """Runs a command, which must pass, and returns what it prints."""
        output = subprocess.run(
            [self.path, *arguments], capture_output=True, text=True, cwd=self.folder, env=self.variables()
        )
        words = ["DATASOURCE" if "://" in word else word for word in arguments]
        check(f"quarterdeck {' '.join(words)}", output.returncode == 0, output.stderr.strip())
        return output.stdout

    def serve(self):
        self.server = subprocess.Popen(
            [self.path, "serve"], stdout=subprocess.PIPE, text=True, cwd=self.folder, env=self.variables()
        )
        for line in self.server.stdout:
            if found := re.search(r"listens on (http://\S+)", line):
                self.url = found[1]
                return
        sys.exit("the server did not start")

    def stop(self):
        self.server.terminate()
        check("the server stops", self.server.wait() == 0)

    def end(self):
        """Ends a server that a failed run left."""
        if self.server and self.server.poll() is None:
            self.server.kill()
            self.server.wait()

    def request(self, method, path, body=None, token=None):
        """Returns the status, the error id or an empty text, and the headers of the answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v4{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, "", answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read()).get("id", ""), answer.headers

    def log_in(self, name, password, code=""):
        return self.request("POST", "/users/login", {"login_id": name, "password": password, "token": code})


def one_time_code(key):
    """Returns the code of this moment. Waits for the next one if it ends within 5 s."""
    while time.time() % 30 > 25:
        time.sleep(0.5)
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(key), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def people_log_in(program, postgres, people):
    """Logs everyone in. Returns the tokens by name."""
    rows = postgres.rows("mattermost", f"SELECT u.username, ({LOGS_IN})::text, u.mfaactive::text FROM users u")
    named = {name: (is_served == "true", has_codes == "true") for name, is_served, has_codes in rows}
    numbers, wrong, tokens = {200: 0, 401: 0}, [], {}
    for name, (password, key) in people.items():
        is_served, has_codes = named[name]
        if has_codes:
            code = one_time_code(key)
            first = program.log_in(name, password, code)
            second = program.log_in(name, password, code)
            check(f"login of {name} with a one-time code, and with the same code again: 200, 401",
                  (first[0], second[0]) == (200, 401) and "bad_code" in second[1], (first[:2], second[:2]))
            continue
        status, error, headers = program.log_in(name, password)
        if status != (200 if is_served else 401):
            wrong.append((name, status, error))
        numbers[status] = numbers.get(status, 0) + 1
        tokens[name] = headers.get("Token")
    check(f"login with the password: {numbers[200]} people 200, {numbers[401]} people 401", not wrong, wrong)
    return tokens


def tokens_hold(program, postgres):
    sql = "SELECT s.token FROM sessions s JOIN users u ON u.id = s.userid WHERE u.deleteat = 0 \
           AND COALESCE(s.props->>'type', '') <> 'UserAccessToken'"
    sessions = [token for (token,) in postgres.rows("source", sql)]
    answers = [program.request("GET", "/users/me", token=token)[0] for token in sessions]
    check(f"users/me with the {len(sessions)} sessions of logins: 200", set(answers) == {200}, answers or "the dump has none")
    for is_active, status in (("true", 200), ("false", 401)):
        rows = postgres.rows("source", f"SELECT token FROM useraccesstokens WHERE isactive = {is_active}")
        answers = [program.request("GET", "/users/me", token=token)[0] for (token,) in rows]
        kind = "active" if status == 200 else "inactive"
        check(f"users/me with the {len(rows)} {kind} access tokens: {status}", set(answers) == {status}, answers or "the dump has none")


def schemes_hold(program, postgres, tokens):
    found = postgres.rows("mattermost", OUTSIDER)
    if not found:
        check("a team with a scheme", False, "the dump has none with a member who logs in with a password")
    for team, member, outsider in found:
        body = {"team_id": team, "user_id": outsider}
        answer = program.request("POST", f"/teams/{team}/members", body, tokens.get(member))
        check("a member adds a person to the team with the scheme: 403", answer[0] == 403, answer[:2])


def deletions_are_whole(program, postgres, tokens):
    columns = postgres.rows("mattermost", NAMING)
    all_names = " UNION ".join(f"SELECT '{table}', {column} FROM {table}" for table, column in columns)

    def tables_of(account):
        rows = postgres.rows("mattermost", f"SELECT * FROM ({all_names}) named(place, account) WHERE account = '{account}'")
        return sorted({place for place, _ in rows})

    ((admin,),) = postgres.rows("mattermost", ADMIN)
    accounts = [account for (account,) in postgres.rows("mattermost", OTHERS)]
    before, account = max(((tables_of(account), account) for account in accounts), key=lambda found: len(found[0]))
    answer = program.request("DELETE", f"/users/{account}?permanent=true", token=tokens.get(admin))
    after = [table for table in tables_of(account) if table != "audits"]
    ((foreign,),) = postgres.rows("mattermost", FOREIGN_AUDITS.format(account))
    check("no row of audits is left that Mattermost wrote", foreign == "0", foreign)
    check(f"an account with rows in {len(before)} tables is deleted for good, rows stay in: {', '.join(after) or 'none'}",
          answer[0] == 200 and set(after) <= STAYS, answer[:2])


def blocks(dump):
    """Returns the statements of a dump. Each has a heading with the name of its object."""
    return "\n".join(dump).split("\n\n\n")


def attached(program, postgres, people):
    before = postgres.dump("mattermost", "-s")
    told = program.run("check")
    print("".join(f"       {line}\n" for line in told.splitlines() if line.startswith(("database of:", "there, not"))), end="")
    program.serve()
    tokens = people_log_in(program, postgres, people)
    tokens_hold(program, postgres)
    schemes_hold(program, postgres, tokens)
    deletions_are_whole(program, postgres, tokens)
    program.stop()
    program.run("audit", "verify")
    program.run("detach", "--yes", "--trail", "trail.jsonl")
    records = len((program.folder / "trail.jsonl").read_text().splitlines())
    check(f"the file of the trail has {records} records", records > 0)
    after = postgres.dump("mattermost", "-s")
    changed = [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if re.match(r"[-+](?![-+])", line)]
    was_used = any(" public.qd_" in line for line in before)
    lost = [block for block in blocks(before) if block not in set(blocks(after)) and "qd_" not in block]
    wrong = [line for line in changed if line.startswith("+")] + lost if was_used else changed
    check("pg_dump -s has lost objects of this server only" if was_used else "pg_dump -s is the same", not wrong, wrong[:9])
    program.serve()
    program.stop()
    program.run("detach", "--yes", "--without-trail")
    again = postgres.dump("mattermost", "-s")
    check("attached and detached once more, pg_dump -s is the same", again == after)


def numbers_of(report, table):
    found = re.search(rf"^{table} +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", report, re.M)
    return [int(number) for number in found.groups()] if found else []


def imported(path, postgres, folder):
    program = Program(path, folder / "imported", "data/quarterdeck.db")
    before = postgres.dump("source")
    command = ["import", "--from", postgres.address("source")]
    report = program.run(*command)
    for table in COUNTED:
        ((rows,),) = postgres.rows("source", f"SELECT COUNT(*) FROM {table}")
        numbers, expected = numbers_of(report, table), [int(rows), int(rows), 0, 0, 0]
        check(f"import of {table}: {rows} read and new", numbers == expected, numbers)
    again = program.run(*command)
    check("a second import: 0 new", again.endswith("0 new, 0 changed: nothing was changed\n"), again)
    program.run("audit", "verify")
    check("pg_dump of the source is the same before and after", postgres.dump("source") == before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=pathlib.Path)
    parser.add_argument("people", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/quarterdeck")
    parser.add_argument("--postgres", type=pathlib.Path, help="the folder of initdb, postgres, psql and pg_dump")
    options = parser.parse_args()
    found = shutil.which("initdb")
    programs = options.postgres or (pathlib.Path(found).resolve().parent if found else sys.exit("there is no initdb"))
    lines = [line.split() for line in options.people.read_text().splitlines() if line.strip()]
    people = {name: (password, rest[0] if rest else "") for name, password, *rest in lines}
    with tempfile.TemporaryDirectory(prefix="quarterdeck-moving") as place:
        folder = pathlib.Path(place)
        folder.chmod(0o755)
        (folder / "postgres").mkdir()
        postgres = Postgres(programs, folder / "postgres")
        try:
            for name in ("mattermost", "source"):
                postgres.load(name, options.dump)
            program = Program(options.program.resolve(), folder / "attached", postgres.address("mattermost"))
            try:
                attached(program, postgres, people)
            finally:
                program.end()
            imported(options.program.resolve(), postgres, folder)
        finally:
            postgres.end()
    sys.exit(f"{len(FAILED)} checks failed" if FAILED else 0)


if __name__ == "__main__":
    main()
