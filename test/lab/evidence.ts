/** What the three witnesses say of one fragment, gathered in the guest and judged on the host. */
export interface FragmentEvidence {
  readonly fragmentId: string;
  readonly catalog?: {
    readonly imageId: string;
    readonly copy: number;
    readonly number: number;
    readonly state: string;
    /** It is DAMAGED because a later attempt has written its part of the archive once more. */
    readonly isGivenUp: boolean;
    readonly digest: string;
    readonly indexDigest: string;
  };
  readonly journal?: {
    readonly phase: string;
    readonly verdict?: string;
    /** Of its SEALED record. */
    readonly digest?: string;
    readonly indexDigest?: string;
  };
  readonly medium?: {
    /** BLAKE3 of what can be read back; undefined where there is no file under the final name. */
    readonly dataDigest?: string;
    readonly indexDigest?: string;
    /** What its manifest says of the data; empty where there is one that cannot be read. */
    readonly manifestDigest?: string;
  };
}

/** What the host knows for sure, because it was told before the power went. */
export interface Knowledge {
  /** Fragments that were committed. */
  readonly committed: ReadonlySet<string>;
  /** Fragments whose deletion was announced. */
  readonly deleted: ReadonlySet<string>;
  /** Images that were COMPLETE. */
  readonly completed: ReadonlySet<string>;
  /** Fragments that lay on a medium, sealed, when it was last looked at. */
  readonly sealed: ReadonlySet<string>;
}

/** States in which the catalog promises the bytes: an undelete brings them back. */
const PROMISED = new Set(['ACTIVE', 'TO_BE_DELETED']);
/** States that only a granted tombstone leads to. */
const GRANTED = new Set(['DELETING', 'DELETED']);
const GOING = new Set(['CONDEMNED', 'REMOVED']);

/**
 * Everything that contradicts an invariant, in words; empty if all is well. Asked after healing: so a fragment without
 * a verdict is a finding, too.
 */
export function judge(
  survey: {
    readonly fragments: readonly FragmentEvidence[];
    readonly images: readonly { readonly imageId: string; readonly state: string }[];
  },
  known: Knowledge,
): string[] {
  const byId = new Map(survey.fragments.map((fragment) => [fragment.fragmentId, fragment]));
  const findings = survey.fragments.flatMap((fragment) =>
    judgeOne(fragment).map((finding) => `${nameOf(fragment)}: ${finding}`),
  );
  for (const id of known.committed) {
    if (!byId.get(id)?.catalog) findings.push(`${id}: it was committed, the catalog has lost it`);
  }
  for (const id of known.deleted) {
    const state = byId.get(id)?.catalog?.state;
    if (state !== 'DELETED') findings.push(`${id}: it was deleted, the catalog has it ${state}`);
  }
  for (const id of known.sealed) {
    const fragment = byId.get(id);
    if (!fragment?.medium?.manifestDigest && !isGranted(fragment)) {
      findings.push(`${id}: it lay sealed on its medium, and is gone without a tombstone`);
    }
  }
  return [...findings, ...doubleNumbers(survey.fragments), ...lostImages(survey, known, byId)];
}

function judgeOne({ catalog, journal, medium }: FragmentEvidence): string[] {
  const findings: string[] = [];
  if (catalog && PROMISED.has(catalog.state)) {
    findings.push(...notWhole(`the catalog shows it ${catalog.state}`, catalog, medium));
    if (journal?.digest === undefined) {
      findings.push(
        `it is in the catalog, but its journal has it ${journal?.phase ?? 'not at all'}`,
      );
    } else if (journal.digest !== catalog.digest) {
      findings.push('catalog and journal have different digests of it');
    }
  }
  if (catalog?.state === 'DAMAGED' && !catalog.isGivenUp)
    findings.push('the catalog shows it DAMAGED');
  if (medium && !journal) findings.push('it lies on the medium, and its journal never heard of it');
  if (journal) findings.push(...judgeJournal(journal, catalog, medium));
  return findings;
}

function judgeJournal(
  journal: NonNullable<FragmentEvidence['journal']>,
  catalog: FragmentEvidence['catalog'],
  medium: FragmentEvidence['medium'],
): string[] {
  const { phase, verdict, digest, indexDigest } = journal;
  if (GOING.has(phase)) {
    return catalog && GRANTED.has(catalog.state)
      ? []
      : [`its journal has it ${phase}, the catalog has it ${catalog?.state ?? 'not at all'}`];
  }
  if (phase === 'INTENT') {
    return medium?.manifestDigest ? ['it is sealed on the medium, in its journal it is not'] : [];
  }
  const findings: string[] = [];
  if (phase === 'SEALED') findings.push('it is sealed, and nobody has given it a verdict');
  if (verdict === 'COMMITTED' && !catalog) {
    findings.push('its journal has it COMMITTED, the catalog does not know it');
  }
  // Whatever the verdict is: no bytes go without a grant. (What is ACTIVE was looked at already.)
  if (digest && indexDigest && !(catalog && PROMISED.has(catalog.state))) {
    findings.push(
      ...notWhole(`its journal has it ${verdict ?? phase}`, { digest, indexDigest }, medium),
    );
  }
  return findings;
}

function notWhole(
  claim: string,
  promised: { readonly digest: string; readonly indexDigest: string },
  medium: FragmentEvidence['medium'],
): string[] {
  const parts = [
    { part: 'data', is: medium?.dataDigest, should: promised.digest },
    { part: 'index', is: medium?.indexDigest, should: promised.indexDigest },
    { part: 'manifest', is: medium?.manifestDigest, should: promised.digest },
  ];
  return parts
    .filter(({ is, should }) => is !== should)
    .map(({ part, is }) => {
      const what = is === undefined ? 'is missing' : is === '' ? 'cannot be read' : 'is different';
      return `${claim}, its ${part} ${what}`;
    });
}

function doubleNumbers(fragments: readonly FragmentEvidence[]): string[] {
  const holders = new Map<string, string[]>();
  for (const { fragmentId, catalog } of fragments) {
    if (catalog?.state !== 'ACTIVE') continue;
    const place = `${catalog.imageId} copy ${catalog.copy} fragment ${catalog.number}`;
    holders.set(place, [...(holders.get(place) ?? []), fragmentId]);
  }
  return [...holders]
    .filter(([, ids]) => ids.length > 1)
    .map(([place, ids]) => `${place} is ACTIVE ${ids.length} times: ${ids.join(', ')}`);
}

function lostImages(
  survey: {
    readonly fragments: readonly FragmentEvidence[];
    readonly images: readonly { readonly imageId: string; readonly state: string }[];
  },
  known: Knowledge,
  byId: ReadonlyMap<string, FragmentEvidence>,
): string[] {
  const expired = new Set(
    [...byId.values()].flatMap(({ catalog }) =>
      catalog && catalog.state !== 'ACTIVE' ? [catalog.imageId] : [],
    ),
  );
  const states = new Map(survey.images.map(({ imageId, state }) => [imageId, state]));
  return [...known.completed]
    .filter((imageId) => states.get(imageId) !== 'COMPLETE' && !expired.has(imageId))
    .map((imageId) => `${imageId} was COMPLETE, and is ${states.get(imageId) ?? 'unknown'}`);
}

function isGranted(fragment: FragmentEvidence | undefined): boolean {
  return fragment?.catalog !== undefined && GRANTED.has(fragment.catalog.state);
}

function nameOf({ fragmentId, catalog }: FragmentEvidence): string {
  return catalog
    ? `${catalog.imageId} c${catalog.copy}/${catalog.number} (${fragmentId})`
    : fragmentId;
}
