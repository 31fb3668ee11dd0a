import { describe, expect, it } from '@jest/globals';
import { createAccount, fromPublic } from '@nats-io/nkeys';
import { createCredential } from './credentials.js';
import { nkeyLogin, publicNkeyOf } from './nkey-login.js';

describe('a login by nkey', () => {
  it('is one that the nkeys library accepts', () => {
    for (let round = 0; round < 20; round += 1) {
      const { seed, publicKey } = createCredential();
      const answer = nkeyLogin(`${seed}\n`)('a nonce') as { nkey: string; sig: string };
      expect(answer.nkey).toBe(publicKey);
      expect(publicNkeyOf(seed)).toBe(publicKey);
      const signature = new Uint8Array(Buffer.from(answer.sig, 'base64'));
      expect(fromPublic(publicKey).verify(Buffer.from('a nonce'), signature)).toBe(true);
    }
  });

  it('refuses what is no seed of a user', () => {
    const { seed } = createCredential();
    const account = new TextDecoder().decode(createAccount().getSeed());
    const changed = seed.slice(0, 20) + (seed[20] === 'A' ? 'B' : 'A') + seed.slice(21);
    for (const wrong of ['', 'nonsense', seed.slice(0, -2), changed, account]) {
      expect(() => nkeyLogin(wrong)).toThrow('no nkey seed');
    }
  });
});
