import { z } from 'zod';
import { settingFacts } from '#service/settings/setting-facts.js';

const HOUR_SECONDS = 3_600;

/**
 * A running job asks again when half of it is over. The other half has to outlast a restart of broker or job manager,
 * or others get what the living hold.
 */
const LEASE_SECONDS_LEAST = 60;

const count = z.coerce.number().int();

export const brokerConfig = z.object({
  /** Expiry only makes room; the attempt number is what fences the old holder. */
  HOLDFAST_BROKER_LEASE_SECONDS: count
    .min(1)
    .max(86_400)
    .default(HOUR_SECONDS)
    .register(settingFacts, {
      name: 'broker.lease-seconds',
      unit: 'seconds',
      description: 'how long an allocation lasts that nobody asks for again',
      settable: true,
      least: LEASE_SECONDS_LEAST,
    }),
  /**
   * The field's default is 1, which has the streams of one policy run one after the other. As many as
   * a storage unit takes by itself is enough for one client to use it, and keeps one client from
   * filling several.
   */
  HOLDFAST_BROKER_CLIENT_JOBS_MAX: count.min(1).max(1_000).default(4).register(settingFacts, {
    name: 'clients.jobs-max-default',
    unit: 'jobs',
    description: 'backups of a client that may run at once, where it has no limit of its own',
    settable: true,
  }),
  /** Catches what a crash left undone. */
  HOLDFAST_BROKER_EVALUATE_SECONDS: count.min(1).max(600).default(5).register(settingFacts, {
    name: 'broker.evaluate-seconds',
    unit: 'seconds',
    description: 'how often the queue is looked at without an occasion',
    settable: true,
  }),
});

export type BrokerConfigValues = z.output<typeof brokerConfig>;

/**
 * The configuration in the units that the code uses; its own injection token. Each value is read
 * anew: `holdfast config set` changes it while the service runs.
 */
export class BrokerConfig {
  constructor(private readonly values: BrokerConfigValues) {}

  get leaseMs(): number {
    return this.values.HOLDFAST_BROKER_LEASE_SECONDS * 1_000;
  }

  get clientJobsMax(): number {
    return this.values.HOLDFAST_BROKER_CLIENT_JOBS_MAX;
  }

  get evaluateMs(): number {
    return this.values.HOLDFAST_BROKER_EVALUATE_SECONDS * 1_000;
  }

  /** When a lease ends that is given or renewed now. */
  leaseUntil(now: Date): Date {
    return new Date(now.getTime() + this.leaseMs);
  }
}
