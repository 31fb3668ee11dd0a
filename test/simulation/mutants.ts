import { decideDeletion } from '../../apps/catalog/src/domain/deletion.js';
import { planExpiry } from '../../apps/catalog/src/domain/expiry.js';
import { judge } from '../../apps/catalog/src/domain/verdict.js';
import type { Mode, Setting } from './run-seed.js';
import { REAL_RULES, type Habits, type Rules } from './rules.js';

/** A cluster that is wrong in one way, and how the simulator has to notice. */
export interface Mutant {
  readonly rules: Rules;
  readonly mode: Mode;
  /** How the name of the invariant that it breaks begins. */
  readonly breaks: string;
  readonly setting?: Setting;
}

const habit = (habits: Habits, breaks: string, mode: Mode = 'safety'): Mutant => ({
  rules: { ...REAL_RULES, habits },
  ...{ mode, breaks },
});

const rule = (rules: Partial<Rules>, breaks: string): Mutant => ({
  rules: { ...REAL_RULES, ...rules },
  ...{ mode: 'safety', breaks },
});

/** The database goes back now and then; what is deleted is soon gone for good. */
const FORGETFUL: Setting = {
  climate: { 'database-back': 0.1 },
  settings: {
    ...{ operatorThins: true, operatorRestMsMax: 6_000, careMs: 150_000 },
    ...{ deleteGraceMs: 5_000, trashGraceMs: 20_000 },
  },
};

/** Each by the mistake that it makes. A simulator that does not find one of them proves nothing. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'trusts the acknowledgement of the broker': habit({ trustsTheBroker: true }, 'I6'),
  'deletes the source when it hears nothing (the seed)': habit({ deletesOnSilence: true }, 'I2'),
  'sweeps what the catalog does not know': habit({ sweepsTheUnknown: true }, 'I2'),
  'seals before the data is synced': habit({ skipsSync: true }, 'I1'),
  'announces what is offered again': habit({ announcesRepeats: true }, 'I4'),
  'removes by the grant alone': habit({ skipsTheClaim: true }, 'I2'),
  'grants while nobody knows what is left': {
    ...habit({ grantsInDoubt: true }, 'I1'),
    setting: FORGETFUL,
  },
  'offers by way of the broker only': habit({ offersByBrokerOnly: true }, 'I8', 'liveness'),
  'takes for durable what an earlier life left': habit({ settlesNothing: true }, 'I1'),
  'offers each fragment once': habit({ offersOnce: true }, 'I8', 'liveness'),
  'calls complete what nobody has recorded (the seed)': habit({ countsNothing: true }, 'I5'),
  'has no fence': rule({ mayCommit: (_, copy) => copy !== undefined }, 'I7'),
  'says COMMITTED of a second fragment with the same number': rule(
    {
      judge: (commit, existing, copy) => {
        const verdict = judge(commit, existing, copy);
        return verdict === 'SUPERSEDED' ? 'COMMITTED' : verdict;
      },
    },
    'I4',
  ),
  'looks at no pins': rule(
    {
      decideDeletion: (fragment, input, now) =>
        decideDeletion(
          fragment,
          'ties' in input ? { ...input, ties: { ...input.ties, pins: 0 } } : input,
          now,
        ),
      planExpiry: (image, request, now) =>
        planExpiry(
          { ...image, copies: image.copies.map((copy) => ({ ...copy, pins: 0 })) },
          request,
          now,
        ),
    },
    'I3',
  ),
  'lets the last good copy go': rule(
    {
      decideDeletion: (fragment, input, now) =>
        decideDeletion(
          fragment,
          'ties' in input ? { ...input, ties: { ...input.ties, isLastGood: false } } : input,
          now,
        ),
      planExpiry: (image, request, now) =>
        planExpiry({ ...image, expiresAt: new Date(0) }, request, now),
      isLastGood: () => false,
    },
    'I1',
  ),
  'knows no grace period': rule(
    {
      decideDeletion: (fragment, input, now) =>
        decideDeletion(
          fragment,
          input.type === 'retire' ? { ...input, deletableAt: 0 } : input,
          now,
        ),
    },
    'I2',
  ),
};
