"""Sets a name with the intkey family and reads it back: the Sawtooth SDK, unmodified.

pip install sawtooth-sdk==1.2.5 'protobuf==3.20.3' cbor
python first_transaction.py http://127.0.0.1:8108
"""

import base64
import hashlib
import json
import secrets
import sys
import urllib.request

import cbor
from sawtooth_sdk.protobuf.batch_pb2 import Batch, BatchHeader, BatchList
from sawtooth_sdk.protobuf.transaction_pb2 import Transaction, TransactionHeader
from sawtooth_signing import CryptoFactory, create_context

url = sys.argv[1]
name = "n" + secrets.token_hex(6)
address = hashlib.sha512(b"intkey").hexdigest()[:6] + hashlib.sha512(name.encode()).hexdigest()[-64:]

context = create_context("secp256k1")
signer = CryptoFactory(context).new_signer(context.new_random_private_key())
public_key = signer.get_public_key().as_hex()

payload = cbor.dumps({"Verb": "set", "Name": name, "Value": 42})
header = TransactionHeader(
    family_name="intkey",
    family_version="1.0",
    inputs=[address],
    outputs=[address],
    nonce=secrets.token_hex(16),
    signer_public_key=public_key,
    batcher_public_key=public_key,
    payload_sha512=hashlib.sha512(payload).hexdigest(),
).SerializeToString()
transaction = Transaction(header=header, payload=payload, header_signature=signer.sign(header))

header = BatchHeader(
    signer_public_key=public_key, transaction_ids=[transaction.header_signature]
).SerializeToString()
batch = Batch(header=header, transactions=[transaction], header_signature=signer.sign(header))

request = urllib.request.Request(
    url + "/batches",
    BatchList(batches=[batch]).SerializeToString(),
    {"Content-Type": "application/octet-stream"},
)
link = json.load(urllib.request.urlopen(request))["link"]
status = json.load(urllib.request.urlopen(link + "&wait=30"))["data"][0]
assert status["status"] == "COMMITTED", status

state = json.load(urllib.request.urlopen(url + "/state/" + address))
print(name, "is", cbor.loads(base64.b64decode(state["data"]))[name])
