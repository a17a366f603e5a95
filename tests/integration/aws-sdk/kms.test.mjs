// SPDX-License-Identifier: Apache-2.0
// The public AWS SDK for JavaScript against ensign-sim: a client that somebody else wrote must find a KMS there.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, existsSync, statSync } from 'node:fs'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateKeyCommand, DecryptCommand, DescribeKeyCommand, EncryptCommand, GenerateDataKeyCommand,
  GenerateDataKeyPairCommand, GenerateRandomCommand, GetKeyPolicyCommand, IncorrectKeyException, InvalidCiphertextException,
  KMSClient, KMSServiceException, MalformedPolicyDocumentException, NotFoundException, PutKeyPolicyCommand,
} from '@aws-sdk/client-kms'
import { NodeHttpHandler } from '@smithy/node-http-handler'

const START_TIMEOUT_MS = 60_000
const IMAGE_KEY = 'kms:RecipientAttestation:ImageSha384'

let folder
let simulator
let endpoints
let kms // as the operator

async function startSimulator() {
  const program = join(process.env.ENSIGN_BIN_DIR, 'ensign-sim')
  simulator = spawn(program, ['--dir', folder], { stdio: ['ignore', 'inherit', 'inherit'] })
  const file = join(folder, 'endpoints.json')
  for (const end = Date.now() + START_TIMEOUT_MS; !existsSync(file); await sleep(20)) {
    assert.equal(simulator.exitCode, null, 'ensign-sim ended')
    assert.ok(Date.now() < end, 'ensign-sim did not start in time')
  }
  endpoints = JSON.parse(readFileSync(file))
}

async function stopSimulator() {
  const exited = once(simulator, 'exit')
  simulator.kill('SIGTERM')
  const [code] = await exited
  return code
}

function client(credentials, extra = {}) {
  return new KMSClient({
    region: endpoints.region,
    endpoint: endpoints.kms_url,
    credentials,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(endpoints.kms_ca_file) }) }),
    ...extra,
  })
}

function operatorCredentials() {
  const file = JSON.parse(readFileSync(endpoints.operator_credentials_file))
  return { accessKeyId: file.access_key_id, secretAccessKey: file.secret_access_key }
}

// The way the SDK's own provider reads the metadata service, version 2.
async function roleCredentials() {
  const token = await (await fetch(`${endpoints.imds_url}/latest/api/token`, {
    method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
  })).text()
  const get = async (path) => (await fetch(`${endpoints.imds_url}/latest/meta-data/${path}`, {
    headers: { 'x-aws-ec2-metadata-token': token },
  })).text()
  const role = await get('iam/security-credentials/')
  const answer = JSON.parse(await get(`iam/security-credentials/${role}`))
  return { accessKeyId: answer.AccessKeyId, secretAccessKey: answer.SecretAccessKey, sessionToken: answer.Token }
}

async function createKey(policy) {
  const answer = await kms.send(new CreateKeyCommand({ Policy: policy && JSON.stringify(policy) }))
  return answer.KeyMetadata.Arn
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ensign-sim-'))
  await startSimulator()
  kms = client(operatorCredentials())
})

after(async () => {
  await stopSimulator()
  rmSync(folder, { recursive: true })
})

test('what lies on the disk is for its owner only', () => {
  assert.equal(statSync(endpoints.operator_credentials_file).mode & 0o777, 0o600)
  assert.equal(statSync(join(folder, 'sim.sqlite')).mode & 0o777, 0o600)
})

test('encrypt and decrypt', async () => {
  const KeyId = await createKey()
  const EncryptionContext = { fleet: 'blue', other: 'ü' }
  const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('secret'), EncryptionContext }))
  const answer = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { other: 'ü', fleet: 'blue' } }))

  assert.equal(Buffer.from(answer.Plaintext).toString(), 'secret')
  assert.equal(answer.KeyId, KeyId)
  assert.equal(answer.EncryptionAlgorithm, 'SYMMETRIC_DEFAULT')
  assert.match(answer.$metadata.requestId, /^[0-9a-f-]{36}$/)
})

test('another context, a damaged blob and another key are refused', async () => {
  const KeyId = await createKey()
  const other = await createKey()
  const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), EncryptionContext: { a: 'b' } }))
  const damaged = Buffer.from(CiphertextBlob)

  damaged[damaged.length - 1] ^= 1
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob })), InvalidCiphertextException)
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: 'c' } })), InvalidCiphertextException)
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob: damaged, EncryptionContext: { a: 'b' } })), InvalidCiphertextException)
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: 'b' }, KeyId: other })), IncorrectKeyException)
})

test('data keys', async () => {
  const KeyId = await createKey()
  const made = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))
  const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, KeyId }))

  assert.equal(made.Plaintext.length, 32)
  assert.deepEqual(Buffer.from(opened.Plaintext), Buffer.from(made.Plaintext))
  assert.equal((await kms.send(new GenerateDataKeyCommand({ KeyId, NumberOfBytes: 7 }))).Plaintext.length, 7)
})

for (const [spec, type] of [['RSA_2048', 'rsa'], ['ECC_NIST_P256', 'ec'], ['ECC_NIST_P384', 'ec']]) {
  test(`data key pair ${spec}`, async () => {
    const KeyId = await createKey()
    const pair = await kms.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: spec }))
    const key = createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext), format: 'der', type: 'pkcs8' })
    const publicKey = createPublicKey({ key: Buffer.from(pair.PublicKey), format: 'der', type: 'spki' })
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: pair.PrivateKeyCiphertextBlob }))

    assert.equal(key.asymmetricKeyType, type)
    assert.ok(createPublicKey(key).equals(publicKey))
    assert.deepEqual(Buffer.from(opened.Plaintext), Buffer.from(pair.PrivateKeyPlaintext))
  })
}

test('random bytes', async () => {
  const { Plaintext } = await kms.send(new GenerateRandomCommand({ NumberOfBytes: 1024 }))

  assert.equal(Plaintext.length, 1024)
  assert.ok(new Set(Plaintext).size > 128)
})

test('many callers at once', async () => {
  const KeyId = await createKey()
  const texts = Array.from({ length: 100 }, (_, i) => `secret ${i}`)
  const opened = await Promise.all(texts.map(async (text) => {
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from(text) }))
    return Buffer.from((await kms.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toString()
  }))

  assert.deepEqual(opened, texts)
})

test('keys are described, and unknown ones are not found', async () => {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: 'validator keys' }))
  const described = await kms.send(new DescribeKeyCommand({ KeyId: KeyMetadata.KeyId }))

  assert.deepEqual(described.KeyMetadata, KeyMetadata)
  assert.equal(KeyMetadata.Description, 'validator keys')
  assert.ok(Math.abs(KeyMetadata.CreationDate.getTime() - Date.now()) < 60_000)
  await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId: '00000000-0000-4000-8000-000000000000' })), NotFoundException)
})

test('a key pinned to an image is refused to whoever cannot prove it', async () => {
  const KeyId = await createKey()
  const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('pinned') }))
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: endpoints.operator_arn }, Action: ['kms:PutKeyPolicy', 'kms:GetKeyPolicy', 'kms:Encrypt'], Resource: '*' },
      { Effect: 'Allow', Principal: { AWS: endpoints.role_arn }, Action: 'kms:Decrypt', Resource: '*',
        Condition: { StringEqualsIgnoreCase: { [IMAGE_KEY]: 'ab'.repeat(48) } } },
    ],
  }

  await kms.send(new PutKeyPolicyCommand({ KeyId, PolicyName: 'default', Policy: JSON.stringify(policy) }))
  assert.deepEqual(JSON.parse((await kms.send(new GetKeyPolicyCommand({ KeyId }))).Policy), policy)
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob })), (error) => {
    // The SDK's model of KMS has no class of its own for it.
    assert.ok(error instanceof KMSServiceException)
    assert.equal(error.name, 'AccessDeniedException')
    assert.equal(error.$metadata.httpStatusCode, 400)
    assert.match(error.message, /user\/operator is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:/)
    return true
  })
  await assert.rejects(client(await roleCredentials()).send(new DecryptCommand({ CiphertextBlob })), {
    name: 'AccessDeniedException', message: /assumed-role\/ensign-host\/i-[0-9a-f]+ is not authorized/,
  })
})

test('policies that are malformed or lock their author out are refused', async () => {
  const KeyId = await createKey()
  const put = (Policy, extra) => kms.send(new PutKeyPolicyCommand({ KeyId, PolicyName: 'default', Policy, ...extra }))
  const nobody = JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: { AWS: endpoints.role_arn }, Action: 'kms:*', Resource: '*' }] })

  await assert.rejects(put('{}'), MalformedPolicyDocumentException)
  await assert.rejects(put(nobody), MalformedPolicyDocumentException)
  await put(nobody, { BypassPolicyLockoutSafetyCheck: true })
  await assert.rejects(put(nobody), { name: 'AccessDeniedException' })
})

test('wrong credentials', async () => {
  const call = new GenerateRandomCommand({ NumberOfBytes: 1 })
  const good = operatorCredentials()
  const wrongSecret = client({ ...good, secretAccessKey: `${good.secretAccessKey.slice(1)}x` })
  const unknown = client({ ...good, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' })
  const late = client(good, { systemClockOffset: -10 * 60_000 })
  const role = await roleCredentials()

  await assert.rejects(wrongSecret.send(call), { name: 'InvalidSignatureException' })
  await assert.rejects(unknown.send(call), { name: 'UnrecognizedClientException' })
  await assert.rejects(late.send(call), { name: 'InvalidSignatureException', message: /expired/ })
  await assert.rejects(client({ ...role, sessionToken: undefined }).send(call), { name: 'UnrecognizedClientException' })
  await assert.rejects(client({ ...role, sessionToken: `${role.sessionToken}A` }).send(call), { name: 'UnrecognizedClientException' })
  assert.equal((await client(role).send(call)).Plaintext.length, 1)
})

test('a client that does not trust the CA is not answered', async () => {
  const stranger = new KMSClient({ region: endpoints.region, endpoint: endpoints.kms_url, credentials: operatorCredentials(), maxAttempts: 1 })

  await assert.rejects(stranger.send(new GenerateRandomCommand({ NumberOfBytes: 1 })), /self-signed|unable to verify|certificate/)
})

test('all of it outlives a restart: keys, policies, credentials, ports', async () => {
  const KeyId = await createKey()
  const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }))
  const role = await roleCredentials()
  const earlier = endpoints

  kms.destroy()
  assert.equal(await stopSimulator(), 0)
  assert.ok(!existsSync(join(folder, 'endpoints.json')))
  await startSimulator()
  assert.equal(endpoints.kms_url, earlier.kms_url)
  assert.equal(endpoints.imds_url, earlier.imds_url)
  kms = client(operatorCredentials())
  assert.equal(Buffer.from((await kms.send(new DecryptCommand({ CiphertextBlob, KeyId }))).Plaintext).toString(), 'kept')
  assert.equal((await client(role).send(new DecryptCommand({ CiphertextBlob }))).KeyId, KeyId)
})
