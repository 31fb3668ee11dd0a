import { describe, expect, it } from '@jest/globals';

import { findDebianMirror } from './apt-sources.js';

function list(text: string): { name: string; text: string }[] {
  return [{ name: 'sources.list', text }];
}

function stanzas(text: string): { name: string; text: string }[] {
  return [{ name: 'debian.sources', text }];
}

describe("the machine's own Debian mirror", () => {
  it('is found in a one-line source, with its keyring', () => {
    const text = `# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/d.gpg] https://mirror.example/debian bookworm main contrib # near
`;
    expect(findDebianMirror(list(text))).toEqual({
      uri: 'https://mirror.example/debian',
      signedBy: '/usr/share/keyrings/d.gpg',
    });
  });

  it('is found in a stanza, and a stanza that is switched off is not', () => {
    const text = `Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

# near
Types: deb deb-src
URIs: http://on.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/d.gpg
`;
    expect(findDebianMirror(stanzas(text))).toEqual({
      uri: 'http://on.example/debian',
      signedBy: '/usr/share/keyrings/d.gpg',
    });
  });

  it('names no keyring where the stanza holds the key itself', () => {
    const text = `Types: deb
URIs: http://on.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc/def
 -----END PGP PUBLIC KEY BLOCK-----
`;
    expect(findDebianMirror(stanzas(text))).toEqual({
      uri: 'http://on.example/debian',
      signedBy: undefined,
    });
  });

  it('is neither the security archive, nor backports, nor of another project', () => {
    const text = `deb http://security.example/debian-security bookworm-security main
deb http://m.example/debian-security bookworm main
deb http://m.example/debian bookworm-backports main
deb https://other.example/apt nodistro main
deb cdrom:[Debian]/ bookworm main
deb http://m.example/debian bookworm contrib
`;
    expect(findDebianMirror(list(text))).toBeUndefined();
  });
});
