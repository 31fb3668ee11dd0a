import { createUser, fromSeed } from '@nats-io/nkeys';

/** An nkey pair of a NATS user. The seed is the secret; the server knows the public key only. */
export interface Credential {
  /** `SU...`, 58 characters. */
  readonly seed: string;
  /** `U...`, 56 characters. */
  readonly publicKey: string;
}

/** A new key pair from the system's random source. */
export function createCredential(): Credential {
  return describe(createUser());
}

/** The pair that a seed stands for. Throws where it is no seed, or one that was cut short. */
export function credentialFromSeed(seed: string): Credential {
  return describe(fromSeed(new TextEncoder().encode(seed.trim())));
}

function describe(pair: ReturnType<typeof createUser>): Credential {
  return {
    seed: new TextDecoder().decode(pair.getSeed()),
    publicKey: pair.getPublicKey(),
  };
}
