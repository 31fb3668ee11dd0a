import type { RequestOf } from '#contracts/contract.js';
import type { brokerAllocate } from '#contracts/broker.js';

/** What one attempt of a job needs, all of it at once. */
export type ResourceRequest = RequestOf<typeof brokerAllocate>;

/** A request that waits. The lower its `arrival`, the longer it has waited. */
export type WaitingRequest = ResourceRequest & { readonly arrival: number };
