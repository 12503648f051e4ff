"""A client of intkey on the unmodified Sawtooth SDK, at a node whose ledger is new.

Usage: intkey_client.py URL

The expectations are those of clients of Hyperledger Sawtooth 1.2: shape, keys, order, titles, messages and types.
"""

import base64
import hashlib
import json
import re
import sys
import unittest
import urllib.error
import urllib.request

import cbor
from sawtooth_sdk.protobuf.batch_pb2 import Batch, BatchHeader, BatchList
from sawtooth_sdk.protobuf.setting_pb2 import Setting
from sawtooth_sdk.protobuf.transaction_pb2 import Transaction, TransactionHeader
from sawtooth_signing import CryptoFactory, create_context
from sawtooth_signing.secp256k1 import Secp256k1PrivateKey

URL = ""
NAMESPACE = "1cf126"
SETTINGS = "000000"
UNKNOWN_ID = "0" * 128
HEX_128 = re.compile("[0-9a-f]{128}")
HEX_64 = re.compile("[0-9a-f]{64}")
FACTORY = CryptoFactory(create_context("secp256k1"))
ALICE = FACTORY.new_signer(Secp256k1PrivateKey.from_hex("11" * 32))
BOB = FACTORY.new_signer(Secp256k1PrivateKey.from_hex("22" * 32))


def sha512(data):
    return hashlib.sha512(data).hexdigest()


def address(name):
    return NAMESPACE + sha512(name.encode())[-64:]


def key_of(signer):
    return signer.get_public_key().as_hex()


def transaction(verb, name, value, signer=ALICE, batcher=ALICE, nonce="", dependencies=(), addresses=None, **header):
    payload = cbor.dumps({"Verb": verb, "Name": name, "Value": value})
    fields = dict(
        batcher_public_key=key_of(batcher),
        dependencies=list(dependencies),
        family_name="intkey",
        family_version="1.0",
        inputs=addresses or [address(name)],
        nonce=nonce,
        outputs=addresses or [address(name)],
        payload_sha512=sha512(payload),
        signer_public_key=key_of(signer),
    )
    header = TransactionHeader(**{**fields, **header}).SerializeToString()
    return Transaction(header=header, header_signature=signer.sign(header), payload=payload)


def batch(*transactions, batcher=ALICE, **fields):
    header = BatchHeader(
        signer_public_key=key_of(batcher),
        transaction_ids=[transaction.header_signature for transaction in transactions],
    ).SerializeToString()
    return Batch(header=header, header_signature=batcher.sign(header), transactions=transactions, **fields)


class Answer:
    """Status, headers and body of any HTTP answer, good or bad."""

    def __init__(self, path, body=None, content_type=None, method=None, headers=()):
        url = path if path.startswith("http") else URL + path
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
        # urllib adds a content type of its own when there is a body.
        request.add_unredirected_header("Content-Type", content_type or "")
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    def json(self):
        return json.loads(self.text)


def submit(*batches):
    body = BatchList(batches=batches).SerializeToString()
    return Answer("/batches", body, "application/octet-stream")


def decide(one):
    """Submits a batch, follows the link, and waits for its status."""
    answer = submit(one)
    assert answer.status == 202, answer.text
    statuses = Answer(answer.json()["link"] + "&wait=30").json()["data"]
    assert len(statuses) == 1, statuses
    return statuses[0]


def expand_transaction(one):
    """A transaction as the REST interface shows it."""
    header = TransactionHeader.FromString(one.header)
    names = [field.name for field in TransactionHeader.DESCRIPTOR.fields]
    values = {name: getattr(header, name) for name in names}
    lists = {name: list(values[name]) for name in ("dependencies", "inputs", "outputs")}
    return {
        "header": {**values, **lists},
        "header_signature": one.header_signature,
        "payload": base64.b64encode(one.payload).decode(),
    }


def expand_batch(one):
    header = BatchHeader.FromString(one.header)
    return {
        "header": {
            "signer_public_key": header.signer_public_key,
            "transaction_ids": list(header.transaction_ids),
        },
        "header_signature": one.header_signature,
        "trace": False,
        "transactions": [expand_transaction(transaction) for transaction in one.transactions],
    }


def encoded(state):
    return base64.b64encode(cbor.dumps(state)).decode()


class Ledger(unittest.TestCase):
    """Three blocks with a batch each, and one with a rejection; tests that add blocks look only at what they add.

    Between them a network may have decided empty blocks, which make the block below final when nothing else is to do.
    """

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        set_alpha = transaction("set", "alpha", 1, nonce="0x1")
        inc_alpha = transaction("inc", "alpha", 41, nonce="0x2", dependencies=[set_alpha.header_signature])
        cls.set_alpha, cls.inc_alpha = batch(set_alpha), batch(inc_alpha, trace=True)
        cls.two_signers = batch(
            transaction("set", "beta", 4294967295, signer=BOB),
            transaction("dec", "alpha", 2, nonce="0x4", addresses=[NAMESPACE]),
        )
        cls.overflow = batch(transaction("inc", "beta", 1))
        cls.committed = [cls.set_alpha, cls.inc_alpha, cls.two_signers]
        cls.statuses = [decide(one) for one in cls.committed + [cls.overflow]]
        blocks = Answer("/blocks").json()["data"]
        cls.blocks = {int(block["header"]["block_num"]): block for block in blocks}
        cls.numbers = {
            batch_id: number for number, block in cls.blocks.items() for batch_id in block["header"]["batch_ids"]
        }
        cls.head = blocks[0]["header_signature"]

    def get(self, path, status=200):
        answer = Answer(path)
        self.assertEqual(answer.status, status, answer.text)
        return answer.json()

    def pinned(self, path):
        """A path that reads at the head of the first blocks, whatever other tests add."""
        return f"{path}{'&' if '?' in path else '?'}head={self.head}"

    def assert_error(self, answer, status, code, title, message):
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        expected = {"error": {"code": code, "message": message, "title": title}}
        self.assertEqual((answer.status, answer.json()), (status, expected))

    # Submission and statuses

    def test_submission_answers_with_a_link_to_the_statuses_and_nothing_else(self):
        answer = submit(self.set_alpha, self.inc_alpha)
        ids = f"{self.set_alpha.header_signature},{self.inc_alpha.header_signature}"
        self.assertEqual(answer.status, 202)
        self.assertEqual(answer.json(), {"link": f"{URL}/batch_statuses?id={ids}"})
        # It was a repetition: both stay committed once.
        transactions = self.get("/transactions?limit=1000")["data"]
        twice = [one for one in transactions if one["header_signature"] == self.set_alpha.transactions[0].header_signature]
        self.assertEqual(len(twice), 1)

    def test_statuses_say_what_became_of_each_batch(self):
        expected = [
            {"id": one.header_signature, "invalid_transactions": [], "status": "COMMITTED"} for one in self.committed
        ]
        expected.append({
            "id": self.overflow.header_signature,
            "invalid_transactions": [{
                "id": self.overflow.transactions[0].header_signature,
                "message": 'Verb is "inc", but result would be greater than 4294967295',
            }],
            "status": "INVALID",
        })
        self.assertEqual(self.statuses, expected)
        expected.append({"id": UNKNOWN_ID, "invalid_transactions": [], "status": "UNKNOWN"})
        expected.reverse()
        ids = [status["id"] for status in expected]
        path = "/batch_statuses?id=" + ",".join(ids)
        self.assertEqual(self.get(path), {"data": expected, "link": URL + path})
        posted = Answer("/batch_statuses?wait=5", json.dumps(ids).encode(), "application/json")
        self.assertEqual((posted.status, posted.json()), (200, {"data": expected}))

    def test_invalid_batches_say_why_in_the_words_of_the_ancestor(self):
        reasons = [
            (transaction("set", "alpha", 9), 'Verb is "set", but already exists: Name: alpha, Value 40'),
            (transaction("inc", "nobody", 9), 'Verb is "inc" but name "nobody" not in state'),
            (transaction("dec", "alpha", 41), 'Verb is "dec", but result would be less than 0'),
            (transaction("inc", "alpha", 1, inputs=[]), f"Tried to get unauthorized address: ['{address('alpha')}']"),
            (transaction("inc", "alpha", 1, outputs=[]), f"Tried to set unauthorized address: ['{address('alpha')}']"),
        ]
        for bad, message in reasons:
            status = decide(batch(bad))
            self.assertEqual(status["status"], "INVALID")
            self.assertEqual(status["invalid_transactions"], [{"id": bad.header_signature, "message": message}])
        unknown = decide(batch(transaction("set", "x", 1, family_name="weather")))
        self.assertEqual(unknown["status"], "INVALID")
        self.assertRegex(unknown["invalid_transactions"][0]["message"], "weather")

    def test_a_batch_waits_for_its_dependency(self):
        first = batch(transaction("set", "awaited", 1))
        second = batch(transaction("inc", "awaited", 1, dependencies=[first.transactions[0].header_signature]))
        link = submit(second).json()["link"]
        self.assertEqual(self.get(link + "&wait=1")["data"][0]["status"], "PENDING")
        self.assertEqual(decide(first)["status"], "COMMITTED")
        self.assertEqual(self.get(link + "&wait=30")["data"][0]["status"], "COMMITTED")
        inside = transaction("set", "inside", 1)
        after = transaction("inc", "inside", 1, dependencies=[inside.header_signature])
        self.assertEqual(decide(batch(inside, after))["status"], "COMMITTED")

    def test_a_batch_without_transactions_commits(self):
        self.assertEqual(decide(batch(batcher=BOB))["status"], "COMMITTED")

    def test_one_invalid_transaction_undoes_its_batch(self):
        good, bad = transaction("set", "undone", 1), transaction("dec", "undone", 2)
        status = decide(batch(good, bad))
        self.assertEqual([one["id"] for one in status["invalid_transactions"]], [bad.header_signature])
        self.assert_not_there(f"/transactions/{good.header_signature}", 72, "Transaction Not Found")
        self.assert_not_there(f"/state/{address('undone')}", 75, "State Not Found")

    def assert_not_there(self, path, code, title):
        error = self.get(path, 404)["error"]
        self.assertEqual((error["code"], error["title"]), (code, title))

    def test_what_is_badly_signed_or_built_is_refused_whole(self):
        good = batch(transaction("set", "refused", 1))
        header = BatchHeader.FromString(good.header)
        one = good.transactions[0]
        flipped = good.header_signature[:-1] + ("0" if good.header_signature[-1] != "0" else "1")
        order = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"
        high_s = int(order, 16) - int(good.header_signature[64:], 16)
        bad = [
            Batch(header=good.header, header_signature=flipped, transactions=good.transactions),
            Batch(header=good.header, header_signature=good.header_signature.upper(), transactions=good.transactions),
            Batch(header=good.header, header_signature=f"{good.header_signature[:64]}{high_s:064x}",
                  transactions=good.transactions),
            Batch(header=good.header, header_signature=good.header_signature, transactions=[]),
            batch(Transaction(header=one.header, header_signature=one.header_signature, payload=b"other")),
            batch(transaction("set", "refused", 2), batcher=BOB),
            batch(one, one),
            batch(transaction("set", "refused", 3, dependencies=[""])),
        ]
        self.assertEqual(list(header.transaction_ids), [one.header_signature])
        title = "Submitted Batches Invalid"
        message = ("The submitted BatchList was rejected by the validator. It was poorly formed, or has an invalid "
                   "signature.")
        for refused in bad:
            answer = submit(good, refused)
            error = answer.json()["error"]
            self.assertEqual((answer.status, error["code"], error["title"]), (400, 30, title))
            self.assertTrue(error["message"].startswith(message), error)
        status = self.get(f"/batch_statuses?id={good.header_signature}")["data"][0]
        self.assertEqual(status["status"], "UNKNOWN", "a good batch in a bad list is not taken")

    # Blocks, batches, transactions

    def test_a_block_shows_its_batches_in_full(self):
        for one in self.committed:
            number = self.numbers[one.header_signature]
            block, parent = self.blocks[number], self.blocks[number - 1]
            header = block["header"]
            self.assertEqual(sorted(block), ["batches", "header", "header_signature"])
            self.assertEqual(block["batches"], [expand_batch(one)])
            self.assertEqual(sorted(header), ["batch_ids", "block_num", "consensus", "previous_block_id",
                                              "signer_public_key", "state_root_hash"])
            self.assertEqual(header["batch_ids"], [one.header_signature])
            self.assertEqual(header["block_num"], str(number))
            self.assertEqual(header["previous_block_id"], parent["header_signature"])
            self.assertRegex(block["header_signature"], HEX_128)
            self.assertRegex(header["signer_public_key"], HEX_64)
            self.assertRegex(header["state_root_hash"], HEX_64)
            self.assertTrue(base64.b64decode(header["consensus"], validate=True).startswith(b"FBFT1"))
            path = f"/blocks/{block['header_signature']}"
            self.assertEqual(self.get(path), {"data": block, "link": URL + path})
        self.assertEqual(self.blocks[0]["header"]["previous_block_id"], "0" * 16)
        last = self.numbers[self.committed[-1].header_signature]
        above = [block for number, block in self.blocks.items() if number > last]
        self.assertNotEqual(above, [], "a rejected batch has a block, too")
        for block in above:
            self.assertEqual(block["batches"], [], "a rejected batch is in no list of batches")
            state_root = self.blocks[last]["header"]["state_root_hash"]
            self.assertEqual(block["header"]["state_root_hash"], state_root)

    def test_blocks_are_listed_newest_first_in_pages(self):
        newest = [self.blocks[number] for number in sorted(self.blocks, reverse=True)]
        answer = self.get(self.pinned("/blocks"))
        link = f"{URL}/blocks?head={self.head}&start=0x{len(newest) - 1:016x}&limit=100"
        self.assertEqual(answer, {
            "data": newest, "head": self.head, "link": link, "paging": {"limit": None, "start": None},
        })
        page = self.get(self.pinned("/blocks?limit=2&reverse"))
        self.assertEqual(page, {
            "data": newest[:-3:-1],
            "head": self.head,
            "link": f"{URL}/blocks?head={self.head}&start=0x0000000000000000&limit=2&reverse",
            "paging": {
                "limit": 2,
                "next": f"{URL}/blocks?head={self.head}&start=0x0000000000000002&limit=2&reverse",
                "next_position": "0x0000000000000002",
                "start": None,
            },
        })
        one = self.blocks[2]["header_signature"]
        self.assertEqual(self.get(self.pinned(f"/blocks?id={one}")), {
            "data": [self.blocks[2]],
            "head": self.head,
            "link": f"{URL}/blocks?head={self.head}&start&limit=0&id={one}",
            "paging": {"limit": None, "start": None},
        })
        older = self.get(f"/blocks?head={one}")
        self.assertEqual([block["header"]["block_num"] for block in older["data"]], ["2", "1", "0"])

    def follow(self, path):
        """All items of a list, page by page, while the chain grows."""
        items, page = [], self.get(path)
        head = page["head"]
        while True:
            self.assertEqual(page["head"], head)
            items.extend(page["data"])
            if "next" not in page["paging"]:
                self.assertNotIn("next_position", page["paging"])
                return items
            decide(batch(transaction("inc", "alpha", 0, nonce=f"{path} {len(items)}")))
            page = self.get(page["paging"]["next"])

    def test_pages_of_one_list_are_pinned_to_a_head(self):
        for resource in ("batches", "transactions", "blocks"):
            whole = self.get(self.pinned(f"/{resource}"))["data"]
            for query in ("limit=1", "limit=2"):
                self.assertEqual(self.follow(self.pinned(f"/{resource}?{query}")), whole)
            self.assertEqual(self.follow(self.pinned(f"/{resource}?limit=2&reverse")), whole[::-1])
        state = self.get(self.pinned("/state"))["data"]
        self.assertEqual(self.follow(self.pinned("/state?limit=1")), state)
        self.assertEqual(self.follow(self.pinned("/state?limit=3&reverse")), state[::-1])

    def test_batches_are_listed_and_found_by_id(self):
        newest = [expand_batch(one) for one in reversed(self.committed)]
        page = self.get(self.pinned("/batches?limit=2"))
        first, following = newest[0]["header_signature"], newest[2]["header_signature"]
        self.assertEqual(page, {
            "data": newest[:2],
            "head": self.head,
            "link": f"{URL}/batches?head={self.head}&start={first}&limit=2",
            "paging": {
                "limit": 2,
                "next": f"{URL}/batches?head={self.head}&start={following}&limit=2",
                "next_position": following,
                "start": None,
            },
        })
        ids = [newest[1]["header_signature"], UNKNOWN_ID, newest[2]["header_signature"]]
        answer = self.get(self.pinned(f"/batches?id={','.join(ids)}"))
        self.assertEqual(answer["data"], newest[1:], "in the order of the request, unknown ones left out")
        link = f"{URL}/batches?head={self.head}&start={ids[0]}&limit=100&id={','.join(ids)}"
        self.assertEqual(answer["link"], link)
        path = f"/batches/{first}"
        self.assertEqual(self.get(path), {"data": newest[0], "link": URL + path})

    def test_transactions_are_listed_and_found_by_id(self):
        ours = [transaction for one in reversed(self.committed) for transaction in one.transactions]
        expected = [expand_transaction(one) for one in ours]
        listed = self.get(self.pinned("/transactions"))["data"]
        self.assertEqual(listed[:len(ours)], expected)
        self.assertTrue(all(one["header"]["family_name"].endswith("_settings") for one in listed[len(ours):]))
        start, following = (one.header_signature for one in ours[2:4])
        page = self.get(self.pinned(f"/transactions?limit=1&start={start}"))
        self.assertEqual(page, {
            "data": [expected[2]],
            "head": self.head,
            "link": f"{URL}/transactions?head={self.head}&start={start}&limit=1",
            "paging": {
                "limit": 1,
                "next": f"{URL}/transactions?head={self.head}&start={following}&limit=1",
                "next_position": following,
                "start": start,
            },
        })
        path = f"/transactions/{start}"
        self.assertEqual(self.get(path), {"data": expected[2], "link": URL + path})

    # State and receipts

    def test_state_is_listed_by_prefix_and_read_at_an_older_head(self):
        alpha, beta = address("alpha"), address("beta")
        entries = [
            {"address": beta, "data": encoded({"beta": 4294967295})},
            {"address": alpha, "data": encoded({"alpha": 40})},
        ]
        self.assertLess(beta, alpha)
        self.assertEqual(self.get(self.pinned(f"/state?address={NAMESPACE}")), {
            "data": entries,
            "head": self.head,
            "link": f"{URL}/state?head={self.head}&start={beta}&limit=100&address={NAMESPACE}",
            "paging": {"limit": None, "start": None},
        })
        self.assertEqual(self.get(self.pinned("/state?reverse&limit=2"))["data"], entries[::-1])
        for one, value in zip(self.committed, (1, 42, 40)):
            head = self.blocks[self.numbers[one.header_signature]]["header_signature"]
            path = f"/state/{alpha}?head={head}"
            answer = self.get(path)
            self.assertEqual(answer, {"data": encoded({"alpha": value}), "head": head, "link": URL + path})
        empty = self.get(f"/state?address=ffff&head={self.head}")
        link = f"{URL}/state?head={self.head}&start&limit=0&address=ffff"
        self.assertEqual(empty, {
            "data": [], "head": self.head, "link": link, "paging": {"limit": None, "start": None},
        })
        genesis = self.blocks[0]["header_signature"]
        self.assertEqual(self.get(f"/state?address={NAMESPACE}&head={genesis}")["data"], [])

    def test_settings_are_those_of_the_ancestor(self):
        entries = self.get(self.pinned(f"/state?address={SETTINGS}"))["data"]
        settings = {}
        for entry in entries:
            for setting in Setting.FromString(base64.b64decode(entry["data"])).entries:
                parts = (setting.key.split(".", 3) + [""] * 3)[:4]
                place = "".join(hashlib.sha256(part.encode()).hexdigest()[:16] for part in parts)
                self.assertEqual(entry["address"], SETTINGS + place, setting.key)
                settings[setting.key] = setting.value
        self.assertIn("sawtooth.settings.vote.authorized_keys", settings)

    def test_receipts_say_what_transactions_did(self):
        first, second = self.two_signers.transactions
        expected = [
            {
                "data": [],
                "events": [],
                "id": one.header_signature,
                "state_changes": [{"address": address(name), "type": "SET", "value": encoded({name: value})}],
            }
            for one, name, value in ((second, "alpha", 40), (first, "beta", 4294967295))
        ]
        ids = [one["id"] for one in expected]
        path = f"/receipts?id={','.join(ids)}"
        self.assertEqual(self.get(path), {"data": expected, "link": URL + path})
        posted = Answer("/receipts", json.dumps(ids).encode(), "application/json")
        self.assertEqual((posted.status, posted.json()), (200, {"data": expected}))
        rejected = self.overflow.transactions[0].header_signature
        self.assert_not_there(f"/receipts?id={ids[0]},{rejected}", 80, "Transaction Receipt Not Found")

    def test_status_and_peers(self):
        status = self.get("/status")
        self.assertEqual(sorted(status), ["data", "link"])
        self.assertEqual(status["link"], f"{URL}/status")
        self.assertIsInstance(status["data"]["endpoint"], str)
        peers = self.get("/peers")
        self.assertEqual(peers, {"data": peers["data"], "link": f"{URL}/peers"})
        self.assertTrue(all(peer.startswith("tcp://") for peer in peers["data"]), peers)
        # A node alone has none; in a network all are linked.
        self.assertEqual(status["data"]["peers"], [{"endpoint": peer} for peer in peers["data"]])

    # Errors and the form of answers

    def test_errors_have_the_codes_titles_and_messages_of_the_ancestor(self):
        item = "Blockchain items are identified by 128 character hex-strings. A submitted block, batch, or transaction id was invalid: "
        state = "The state address submitted was invalid. To fetch specific state data, you must submit the full 70-character address."
        sort = "The sort request failed as written. Some of the keys specified were not valid."
        paging = "Paging request failed as written. One or more of the 'min', 'max', or 'count' query parameters were invalid or out of range."
        count = "The 'count' query parameter must be a positive, non-zero integer."
        not_there = "There is no {} with the id specified in the blockchain."
        head = "There is no block with the id specified in the 'head' query parameter."
        no_data = "There is no state data at the address specified."
        no_receipt = "There is no transaction receipt for the transaction id specified in the receipt store."
        by_id = "Requests for {} sent as a GET request must have an 'id' query parameter with a comma-separated list of at least one {} id."
        rows = [
            (f"/blocks/{UNKNOWN_ID}", 404, 70, "Block Not Found", not_there.format("block")),
            (f"/batches/{UNKNOWN_ID}", 404, 71, "Batch Not Found", not_there.format("batch")),
            (f"/transactions/{UNKNOWN_ID}", 404, 72, "Transaction Not Found", not_there.format("transaction")),
            (f"/state/{address('nobody')}", 404, 75, "State Not Found", no_data),
            (f"/state/{NAMESPACE}", 404, 75, "State Not Found", no_data),
            (f"/receipts?id={UNKNOWN_ID}", 404, 80, "Transaction Receipt Not Found", no_receipt),
            (f"/state?head={UNKNOWN_ID}", 404, 70, "Block Not Found", not_there.format("block")),
            (f"/blocks?head={UNKNOWN_ID}", 404, 50, "Head Not Found", head),
            (f"/batches?head={UNKNOWN_ID}", 404, 50, "Head Not Found", head),
            (f"/transactions?head={UNKNOWN_ID}", 404, 50, "Head Not Found", head),
            ("/blocks?head=foo", 400, 60, "Invalid Resource Id", item + "foo"),
            ("/state?head=foo", 400, 60, "Invalid Resource Id", item + "foo"),
            ("/blocks/foo", 400, 60, "Invalid Resource Id", item + "foo"),
            ("/batches?id=ABC", 400, 60, "Invalid Resource Id", item + "ABC"),
            ("/state/zz", 400, 62, "Invalid State Address", state),
            (f"/state/{address('alpha').upper()}", 400, 62, "Invalid State Address", state),
            (f"/state/{'0' * 72}", 400, 62, "Invalid State Address", state),
            ("/state?address=1cf12", 400, 62, "Invalid State Address", state),
            ("/blocks?limit=0", 400, 53, "Invalid Count Query", count),
            ("/batches?limit=-1", 400, 53, "Invalid Count Query", count),
            ("/state?limit=many", 400, 53, "Invalid Count Query", count),
            ("/blocks?start=0xffffffffffffffff", 400, 54, "Invalid Paging Query", paging),
            (f"/batches?start={UNKNOWN_ID}", 400, 54, "Invalid Paging Query", paging),
            ("/blocks?reverse=nonsense", 400, 57, "Invalid Sort Query", sort),
            ("/batch_statuses", 400, 66, "Id Query Invalid or Missing", by_id.format("batch statuses", "batch")),
            ("/receipts", 400, 83, "Id Query Invalid or Missing",
             by_id.format("transaction receipts", "transaction")),
        ]
        for path, *expected in rows:
            with self.subTest(path):
                self.assert_error(Answer(path), *expected)

    def test_bad_bodies_have_their_errors(self):
        octets, text = "application/octet-stream", "text/plain"
        item = "Blockchain items are identified by 128 character hex-strings. A submitted block, batch, or transaction id was invalid: "
        array = "Requests for {} sent as a POST must have a JSON formatted body with an array of at least one id string."
        json_type = "Requests for {} sent as a POST must have a 'Content-Type' header of 'application/json'."
        empty = "The protobuf BatchList you submitted was empty and contained no Batches. You must submit at least one Batch."
        statuses, receipts = "batch statuses", "transaction receipts"
        rows = [
            ("/batches", b"", octets, 34, "No Batches Submitted", empty),
            ("/batches", b"not protobuf", octets, 35, "Protobuf Not Decodable",
             "The protobuf BatchList you submitted was malformed and could not be read."),
            ("/batches", b"x", text, 42, "Wrong Content Type",
             "Batches must be submitted in a BatchList protobuf binary, with a 'Content-Type' header of "
             "'application/octet-stream'."),
            ("/batch_statuses", b"[]", text, 43, "Wrong Content Type", json_type.format(statuses)),
            ("/batch_statuses", b"[]", "application/json", 46, "Bad Status Request", array.format(statuses)),
            ("/batch_statuses", b"{", "application/json", 46, "Bad Status Request", array.format(statuses)),
            ("/receipts", b"[]", text, 81, "Wrong Content Type", json_type.format(receipts)),
            ("/receipts", b'"a"', "application/json", 82, "Bad Receipts Request", array.format(receipts)),
            ("/receipts", b'["abc"]', "application/json", 60, "Invalid Resource Id", item + "abc"),
        ]
        for path, body, content_type, *expected in rows:
            with self.subTest(path=path, body=body):
                self.assert_error(Answer(path, body, content_type, "POST"), 400, *expected)

    def test_unknown_routes_and_methods_are_answered_in_text(self):
        for answer, status, text in (
            (Answer("/nonsense"), 404, "404: Not Found"),
            (Answer("/blocks", b"", octets := "application/octet-stream", "POST"), 405, "405: Method Not Allowed"),
            (Answer("/batches", b"", octets, "PUT"), 405, "405: Method Not Allowed"),
        ):
            self.assertEqual((answer.status, answer.text), (status, text))
        head = Answer("/blocks", method="HEAD")
        self.assertEqual((head.status, head.text), (200, ""))

    def test_answers_are_written_as_python_writes_them(self):
        for path in ("/blocks", "/state", f"/batch_statuses?id={UNKNOWN_ID}", "/status", "/blocks/foo"):
            answer = Answer(path)
            written = json.dumps(answer.json(), indent=2, separators=(",", ": "), sort_keys=True)
            self.assertEqual(answer.text, written)
            self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")

    def test_links_name_the_host_that_the_client_asked(self):
        forwarded = Answer("/peers", headers={"Forwarded": 'host=ledger.example;proto=https;path="/api"'})
        self.assertEqual(forwarded.json()["link"], "https://ledger.example/api/peers")
        headers = {"X-Forwarded-Host": "ledger.example", "X-Forwarded-Proto": "https", "X-Forwarded-Path": "/api"}
        self.assertEqual(Answer("/peers", headers=headers).json()["link"], "https://ledger.example/api/peers")


if __name__ == "__main__":
    URL = sys.argv.pop().rstrip("/")
    unittest.main()
