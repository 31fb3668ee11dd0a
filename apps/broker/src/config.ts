import { z } from 'zod';

const HOUR_SECONDS = 3_600;

export const brokerConfig = z.object({
  /**
   * How long an allocation lasts that nobody asks for again. Expiry is for holders that are gone:
   * it only makes room, the attempt number is what fences the old holder.
   */
  HOLDFAST_BROKER_LEASE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(HOUR_SECONDS),
  /** How often the queue is looked at without an occasion; catches what a crash left undone. */
  HOLDFAST_BROKER_EVALUATE_SECONDS: z.coerce.number().int().min(1).max(600).default(5),
});

/** The configuration in the units that the code uses; its own injection token. */
export class BrokerSettings {
  readonly leaseMs: number;
  readonly evaluateMs: number;

  constructor(config: z.output<typeof brokerConfig>) {
    this.leaseMs = config.HOLDFAST_BROKER_LEASE_SECONDS * 1_000;
    this.evaluateMs = config.HOLDFAST_BROKER_EVALUATE_SECONDS * 1_000;
  }
}
