import { Chance } from './kernel/chance.js';
import { FAULT_KINDS, type FaultKind, type FaultRates } from './kernel/faults.js';

/** How often each fault strikes at its chance, before the seed turns it up, down or off. */
const RATES: Readonly<Record<FaultKind, number>> = {
  kill: 0.001,
  power: 0.001,
  freeze: 0.0005,
  'write-error': 0.003,
  'disk-full': 0.02,
  'request-lost': 0.01,
  'answer-lost': 0.01,
  'request-doubled': 0.03,
  slow: 0.02,
  cut: 0.04,
  redeliver: 0.05,
  shuffle: 0.1,
  'ack-lost': 0.05,
  forget: 0.03,
  rewind: 0.03,
  'stream-gone': 0.005,
  'consumer-gone': 0.03,
  'broker-down': 0.03,
  'commit-unknown': 0.015,
  'statement-fails': 0.015,
  'database-down': 0.03,
  'database-back': 0.015,
};
/** Of the kinds of faults each seed has about this many, so that some are met without the others. */
const KINDS_SHARE = 0.6;

/** What a seed may have much more of: mixtures that find what an even mixture meets too rarely. */
const STORMS: readonly (readonly FaultKind[])[] = [
  [],
  [],
  [],
  ['database-back', 'power'],
  ['forget', 'rewind', 'stream-gone', 'consumer-gone'],
  ['cut', 'freeze', 'request-doubled'],
  ['kill', 'power', 'write-error', 'disk-full'],
  ['commit-unknown', 'statement-fails', 'database-down', 'ack-lost'],
];
const STORM_FACTOR = 4;

/** How often which faults strike in a seed's world. */
export function climateOf(seed: string): FaultRates {
  const chance = new Chance(`${seed} climate`);
  const storm = chance.pick(STORMS);
  return Object.fromEntries(
    FAULT_KINDS.map((kind) => {
      const isMet = chance.happens(KINDS_SHARE);
      const strength = 3 ** (2 * chance.next() - 1);
      if (storm.includes(kind)) return [kind, RATES[kind] * STORM_FACTOR];
      return [kind, isMet ? RATES[kind] * strength : 0];
    }),
  );
}
