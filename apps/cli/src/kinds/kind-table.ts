import { UsageError } from '../exit-codes.js';
import { clientLimitKind } from './client-limit-kind.js';
import { anyKind, type Kind } from './kind.js';
import { policyKind } from './policy-kind.js';
import { retentionLevelKind } from './retention-level-kind.js';
import { storagePoolKind } from './storage-pool-kind.js';
import { storageUnitGroupKind } from './storage-unit-group-kind.js';
import { storageUnitKind } from './storage-unit-kind.js';

/** All kinds, in the order in which they are applied: what others refer to comes first. */
export const KINDS: readonly Kind[] = [
  anyKind(storagePoolKind),
  anyKind(storageUnitKind),
  anyKind(storageUnitGroupKind),
  anyKind(retentionLevelKind),
  anyKind(clientLimitKind),
  anyKind(policyKind),
];

export const KIND_NAMES = KINDS.map(({ kind }) => kind);

/** As a file writes it; undefined where there is none. */
export function kindNamed(kind: unknown): Kind | undefined {
  return KINDS.find((one) => one.kind === kind);
}

/** As a person types it. Throws `UsageError`. */
export function kindOfWord(word: string): Kind {
  const found = KINDS.find(({ words }) => words.includes(word.toLowerCase()));
  if (found) return found;
  const known = KINDS.map(({ words }) => words[0]).join(', ');
  throw new UsageError(`There is no kind "${word}"; there are ${known}.`, 'kind');
}
