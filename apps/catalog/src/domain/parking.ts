import type { FailureKind } from '#kernel/database-failure.js';

/** Deliveries after which a message that only a bug keeps out is set aside: about five minutes. */
export const DELIVERIES_BEFORE_PARKING = 20;

/** Whether a message that fails by itself is set aside; otherwise it is delivered again. */
export function shouldPark(kind: FailureKind, deliveries: number): boolean {
  switch (kind) {
    case 'outage':
      return false;
    case 'data':
      return true;
    case 'bug':
      return deliveries >= DELIVERIES_BEFORE_PARKING;
    default:
      return kind satisfies never;
  }
}
