import { createHmac, timingSafeEqual } from 'node:crypto';
import { PermanentError } from '#kernel/errors.js';
import { randomToken } from '#kernel/ids.js';
import type { Connection } from './connection.js';
import { ConnectionBroken, ProtocolError, STATUS_TOKEN_REFUSED } from './errors.js';
import { MESSAGE, messageName, type Message } from './message.js';
import { clientProof, parsePayload, PORT_VERSION, serverProof, type Hello } from './payloads.js';

/**
 * What both ends make of a session's token. The name goes over the wire, to whoever listens; without the key, which
 * does not, it is worth nothing, and neither of the two tells the token or the other one.
 */
export interface SessionKey {
  /** What HELLO calls the session. */
  readonly session: string;
  readonly key: Buffer;
}

export function sessionKeyOf(token: string): SessionKey {
  return { session: hmac(token, 'session').toString('hex'), key: hmac(token, 'key') };
}

/**
 * The client's part: HELLO, and a PROOF each. When it has resolved, the other end knows the token, and knows that
 * this one does. Throws `ProtocolError` for any other answer than such a proof, and what `receive` throws.
 */
export async function greet(
  connection: Connection,
  role: Hello['role'],
  token: string,
): Promise<void> {
  const { session, key } = sessionKeyOf(token);
  const hello: Hello = { version: PORT_VERSION, session, nonce: randomToken(), role };
  await connection.sendJson(MESSAGE.HELLO, hello);
  const { nonce, proof } = parsePayload(await proofFrom(connection), serverProof);
  if (!isSame(proof, proofOf('server', key, { hello, nonce }))) {
    throw new ProtocolError('The proof is another one than the token makes.');
  }
  await connection.sendJson(MESSAGE.PROOF, { proof: proofOf('client', key, { hello, nonce }) });
}

/** The server's part, behind a HELLO. Throws `PermanentError` (status 46) for a client that does not know the token. */
export async function prove(connection: Connection, hello: Hello, key: Buffer): Promise<void> {
  const nonce = randomToken();
  const proof = proofOf('server', key, { hello, nonce });
  await connection.sendJson(MESSAGE.PROOF, { nonce, proof });
  const theirs = parsePayload(await proofFrom(connection), clientProof);
  if (isSame(theirs.proof, proofOf('client', key, { hello, nonce }))) return;
  throw new PermanentError(STATUS_TOKEN_REFUSED, 'the token is not the one of the session');
}

async function proofFrom(connection: Connection): Promise<Message> {
  const message = await connection.receive();
  if (!message) throw new ConnectionBroken('network connection broken: the other end hung up');
  if (message.type === MESSAGE.PROOF) return message;
  throw new ProtocolError(`A ${messageName(message.type)} came in the place of a PROOF.`);
}

/** Of this connection alone, by the nonces of both, and of one end: sent back, it proves nothing. */
function proofOf(
  end: 'server' | 'client',
  key: Buffer,
  { hello, nonce }: { readonly hello: Hello; readonly nonce: string },
): string {
  return hmac(key, `${end} ${hello.role} ${hello.nonce} ${nonce}`).toString('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** In a time that does not tell how much of it is right. Both are 64 hexadecimal digits. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'));
}
