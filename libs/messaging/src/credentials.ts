import { createUser } from '@nats-io/nkeys';
import { publicNkeyOf } from './nkey-login.js';

/** An nkey pair of a NATS user. The seed is the secret; the server knows the public key only. */
export interface Credential {
  /** `SU...`, 58 characters. */
  readonly seed: string;
  /** `U...`, 56 characters. */
  readonly publicKey: string;
}

/** A new key pair from the system's random source. */
export function createCredential(): Credential {
  const seed = new TextDecoder().decode(createUser().getSeed());
  return { seed, publicKey: publicNkeyOf(seed) };
}

/** The pair that a seed stands for. Throws where it is no seed, or one that was cut short. */
export function credentialFromSeed(seed: string): Credential {
  return { seed: seed.trim(), publicKey: publicNkeyOf(seed) };
}
