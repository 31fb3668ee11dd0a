import { Chance, hashOf, mixed } from './chance.js';

/**
 * Everything that the world may do to the cluster. Behind each: what it is a chance per.
 *
 * - `kill`, `power`: a process dies, or its host loses power, before or after an effect.
 * - `freeze`: a process stands still for a while and then goes on as if nothing had happened.
 * - `write-error`, `disk-full`: per write.
 * - `request-lost`, `answer-lost`, `request-doubled`, `slow`: per request or publish.
 * - `cut`: a host is cut off from the others for a while; per round of the weather.
 * - `redeliver`, `shuffle`: the broker delivers again what is not acknowledged, or out of order; per pull.
 * - `ack-lost`: per acknowledgement.
 * - `forget`, `rewind`, `stream-gone`, `consumer-gone`, `broker-down`: per round of the weather.
 * - `commit-unknown`, `statement-fails`: per transaction.
 * - `database-down`, `database-back`: per round of the weather.
 */
export const FAULT_KINDS = [
  'kill',
  'power',
  'freeze',
  'write-error',
  'disk-full',
  'request-lost',
  'answer-lost',
  'request-doubled',
  'slow',
  'cut',
  'redeliver',
  'shuffle',
  'ack-lost',
  'forget',
  'rewind',
  'stream-gone',
  'consumer-gone',
  'broker-down',
  'commit-unknown',
  'statement-fails',
  'database-down',
  'database-back',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

/** Where a kind of fault may strike, and how many chances it has had there. */
interface Site {
  readonly name: string;
  readonly hash: number;
  count: number;
}

/**
 * Decides which faults strike. Each chance has a name: kind, place, and how many came before it
 * there. Whether it strikes depends on the seed and that name alone, so what happens in one place
 * does not change the luck of another. With a plan, just the named ones strike: that is how a run is
 * repeated with fewer faults.
 */
export class Faults {
  /** The names of those that struck, in order. */
  readonly struck: string[] = [];
  private readonly sites = new Map<FaultKind, Map<string, Site>>();
  private calm = false;

  constructor(
    private readonly seed: string,
    private readonly rates: FaultRates,
    private readonly plan?: ReadonlySet<string>,
  ) {}

  /** From now on nothing strikes. */
  end(): void {
    this.calm = true;
  }

  /** If it strikes: the chance that decides how. */
  strikes(kind: FaultKind, place: string): Chance | undefined {
    const rate = this.rates[kind];
    if (rate === undefined || rate === 0 || this.calm) return undefined;
    const site = this.siteOf(kind, place);
    site.count += 1;
    if (this.plan) {
      if (!this.plan.has(`${site.name}#${site.count}`)) return undefined;
    } else if (mixed(site.hash, site.count) / 0x1_0000_0000 >= rate) {
      return undefined;
    }
    const name = `${site.name}#${site.count}`;
    this.struck.push(name);
    return new Chance(`${this.seed} ${name} details`);
  }

  private siteOf(kind: FaultKind, place: string): Site {
    const places = this.sites.get(kind) ?? new Map<string, Site>();
    this.sites.set(kind, places);
    const known = places.get(place);
    if (known) return known;
    const name = `${kind}@${place}`;
    const site = { name, hash: hashOf(`${this.seed} ${name}`), count: 0 };
    places.set(place, site);
    return site;
  }
}
