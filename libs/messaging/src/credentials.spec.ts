import { describe, expect, it } from '@jest/globals';

import { createCredential, credentialFromSeed } from './credentials.js';

describe('a NATS credential', () => {
  it('is a user key that its seed alone brings back', () => {
    const made = createCredential();
    expect(made.seed).toMatch(/^SU[A-Z2-7]{56}$/);
    expect(made.publicKey).toMatch(/^U[A-Z2-7]{55}$/);
    expect(credentialFromSeed(`${made.seed}\n`)).toEqual(made);
  });

  it('is different every time', () => {
    expect(createCredential().publicKey).not.toBe(createCredential().publicKey);
  });

  it('is refused where the seed was cut short', () => {
    expect(() => credentialFromSeed(createCredential().seed.slice(0, -2))).toThrow();
  });
});
