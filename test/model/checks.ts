/** One way to compile the model: flags as fragment-protocol.pml explains them. */
export interface Scenario {
  readonly name: string;
  readonly flags: readonly string[];
}

/** A protocol that breaks one rule, and the property that must notice it. */
export interface Mutant {
  readonly flag: string;
  readonly rule: string;
  readonly scenario: Scenario;
  readonly breaks: string;
}

const twoAttempts = { name: 'two attempts, deletion', flags: ['ATTEMPTS=2'] };
const commitsOnly = { name: 'two attempts, no deletion', flags: ['ATTEMPTS=2', 'KEEP'] };
const expiry = { name: 'an image that expires', flags: ['ATTEMPTS=1', 'EXPIRES'] };
const rewind = { name: 'a database that goes back', flags: ['ATTEMPTS=1', 'REWIND'] };
const rewindOfCommits = {
  name: 'a database that goes back, no deletion',
  flags: ['ATTEMPTS=1', 'KEEP', 'REWIND'],
};
const rewindOfTwo = { name: 'both at once', flags: ['ATTEMPTS=2', 'KEEP', 'REWIND'] };
const deletionEnds = {
  name: 'liveness: commits and deletion, two faults',
  flags: ['ATTEMPTS=1', 'EXPIRES', 'FAULTS=2'],
};

/** In each of them every property must hold. Together they must use all of the model. */
export const SCENARIOS: readonly Scenario[] = [
  rewind,
  {
    name: 'liveness: a database that goes back',
    flags: ['ATTEMPTS=1', 'KEEP', 'REWIND', 'FAULTS=0'],
  },
  twoAttempts,
  expiry,
  deletionEnds,
  {
    name: 'liveness: two attempts, two faults',
    flags: ['ATTEMPTS=2', 'KEEP', 'FAULTS=2'],
  },
];

/** Too large for every day; `HOLDFAST_MODEL=deep` adds them. */
export const DEEP_SCENARIOS: readonly Scenario[] = [
  { name: 'deep: two attempts, expiry', flags: ['ATTEMPTS=2', 'EXPIRES'] },
  {
    name: 'deep: a database that goes back, expiry',
    flags: ['ATTEMPTS=1', 'EXPIRES', 'REWIND'],
  },
  {
    name: 'deep: liveness: a database that goes back, one fault',
    flags: ['ATTEMPTS=1', 'KEEP', 'REWIND', 'FAULTS=1'],
  },
];

/** Each state that some scenario must reach, else the model proves nothing about it. */
export const GOALS: readonly string[] = [
  'committed',
  'committed_by_second',
  'fenced_off',
  'superseded',
  'source_deleted',
  'quarantine_released',
  'all_deleted',
  'healed',
];

export const MUTANTS: readonly Mutant[] = [
  {
    flag: 'TRUST_ACKNOWLEDGEMENT',
    rule: "takes the broker's acknowledgement for a commit",
    scenario: commitsOnly,
    breaks: 'silence',
  },
  {
    flag: 'DELETE_ON_SILENCE',
    rule: 'deletes the source when the commit cannot be recorded, as the seed did',
    scenario: commitsOnly,
    breaks: 'no_loss',
  },
  {
    flag: 'COMPLETE_ON_SILENCE',
    rule: 'marks a failed duplication COMPLETE, as the seed did',
    scenario: commitsOnly,
    breaks: 'complete_is_derived',
  },
  {
    flag: 'RECEIPT_BEFORE_COMMIT',
    rule: 'sends the receipt before the transaction is through',
    scenario: commitsOnly,
    breaks: 'silence',
  },
  {
    flag: 'NO_INBOX',
    rule: 'applies every delivery',
    scenario: commitsOnly,
    breaks: 'exactly_once',
  },
  {
    flag: 'NO_SLOT',
    rule: 'lets a number have two fragments',
    scenario: rewindOfTwo,
    breaks: 'exactly_once',
  },
  {
    flag: 'NO_FENCE',
    rule: 'lets an older attempt commit after its successor began',
    scenario: commitsOnly,
    breaks: 'fenced',
  },
  {
    flag: 'NO_PIN',
    rule: 'deletes the source of a running duplication',
    scenario: expiry,
    breaks: 'source_kept',
  },
  {
    flag: 'SWEEP_UNKNOWN',
    rule: 'removes bytes that the catalog does not know',
    scenario: commitsOnly,
    breaks: 'by_tombstone',
  },
  {
    flag: 'NO_LAST_COPY',
    rule: 'lets the last good copy go before the image expires',
    scenario: twoAttempts,
    breaks: 'last_copy',
  },
  {
    flag: 'REVOKE_GRANT',
    rule: 'takes back a grant',
    scenario: expiry,
    breaks: 'no_loss',
  },
  {
    flag: 'SKIP_CLAIM',
    rule: 'removes on a grant without asking once more',
    scenario: rewind,
    breaks: 'no_loss',
  },
  {
    flag: 'KEEP_CONFIRMATION',
    rule: 'removes on a claim that was confirmed before the database went back',
    scenario: rewind,
    breaks: 'no_loss',
  },
  {
    flag: 'GRANT_UNRECONCILED',
    rule: 'grants deletions before it knows what is left after the database went back',
    scenario: rewind,
    breaks: 'last_copy',
  },
  {
    flag: 'NO_RECHECK',
    rule: 'grants a deletion without looking for another copy again',
    scenario: rewind,
    breaks: 'last_copy',
  },
  {
    flag: 'NO_REOFFER',
    rule: 'does not offer again what the database may have forgotten',
    scenario: rewindOfCommits,
    breaks: 'silence',
  },
  {
    flag: 'OFFER_ONCE',
    rule: 'offers a sealed fragment once',
    scenario: deletionEnds,
    breaks: 'live',
  },
  {
    flag: 'GRANT_ONCE',
    rule: 'sends a grant once',
    scenario: deletionEnds,
    breaks: 'live',
  },
  {
    flag: 'NO_CHECK',
    rule: 'never compares the positions of stream and consumer',
    scenario: deletionEnds,
    breaks: 'live',
  },
];
