import { z } from 'zod';

const HOUR_SECONDS = 3_600;

export const brokerConfig = z.object({
  /**
   * How long an allocation lasts that nobody asks for again. Expiry is for holders that are gone:
   * it only makes room, the attempt number is what fences the old holder.
   */
  HOLDFAST_BROKER_LEASE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(HOUR_SECONDS),
  /**
   * Backups of a client that may run at once, where it has no limit of its own. The field's default is
   * 1, which has the streams of one policy run one after the other. As many as a storage unit takes
   * by itself is enough for one client to use it, and keeps one client from filling several.
   */
  HOLDFAST_BROKER_CLIENT_JOBS_MAX: z.coerce.number().int().min(1).max(1_000).default(4),
  /** How often the queue is looked at without an occasion; catches what a crash left undone. */
  HOLDFAST_BROKER_EVALUATE_SECONDS: z.coerce.number().int().min(1).max(600).default(5),
});

/** The configuration in the units that the code uses; its own injection token. */
export class BrokerSettings {
  readonly leaseMs: number;
  readonly evaluateMs: number;
  readonly clientJobsMax: number;

  constructor(config: z.output<typeof brokerConfig>) {
    this.leaseMs = config.HOLDFAST_BROKER_LEASE_SECONDS * 1_000;
    this.evaluateMs = config.HOLDFAST_BROKER_EVALUATE_SECONDS * 1_000;
    this.clientJobsMax = config.HOLDFAST_BROKER_CLIENT_JOBS_MAX;
  }

  /** When a lease ends that is given or renewed now. */
  leaseUntil(now: Date): Date {
    return new Date(now.getTime() + this.leaseMs);
  }
}
