import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { InvalidInput } from '#kernel/errors.js';
import { createCredential, credentialFromSeed, type Credential } from '#messaging/credentials.js';

const PASSWORD_BYTES = 24;

/** Where a NATS user's seed lies: `credentials/<user>.nk`, as the `nats` command takes it too. */
export function seedFile(credentialsFolder: string, user: string): string {
  if (!/^[\w.-]+$/.test(user)) {
    throw new InvalidInput(`"${user}" cannot be a user: letters, digits, "_", "-" and "." only.`);
  }
  return join(credentialsFolder, `${user}.nk`);
}

/** The user's key pair from its file, which is made (0600) the first time. */
export function natsCredential(credentialsFolder: string, user: string): Credential {
  const seed = secret(seedFile(credentialsFolder, user), () => createCredential().seed);
  return credentialFromSeed(seed);
}

/** Where the password of that name lies. */
export function passwordFile(credentialsFolder: string, name: string): string {
  return join(credentialsFolder, `${name}.password`);
}

/** The password from `credentials/<name>.password`, made (0600; 192 random bits) the first time. */
export function password(credentialsFolder: string, name: string): string {
  const file = passwordFile(credentialsFolder, name);
  return secret(file, () => randomBytes(PASSWORD_BYTES).toString('base64url'));
}

function secret(file: string, make: () => string): string {
  const found = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (found !== '') {
    return found;
  }
  const made = make();
  writeDurably(file, `${made}\n`);
  return made;
}

/** Whole and on the disk, or not there: a cluster locked by a lost password would be of no use. */
function writeDurably(file: string, text: string): void {
  const draft = `${file}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  writeSync(descriptor, text);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(draft, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
