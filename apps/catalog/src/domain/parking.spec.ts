import { describe, expect, it } from '@jest/globals';
import { DELIVERIES_BEFORE_PARKING, shouldPark } from './parking.js';

describe('a message whose transaction failed', () => {
  it('is parked for its data at once, for a bug after many tries, for an outage never', () => {
    expect(shouldPark('data', 1)).toBe(true);
    expect(shouldPark('bug', DELIVERIES_BEFORE_PARKING - 1)).toBe(false);
    expect(shouldPark('bug', DELIVERIES_BEFORE_PARKING)).toBe(true);
    expect(shouldPark('outage', 1_000_000)).toBe(false);
  });
});
