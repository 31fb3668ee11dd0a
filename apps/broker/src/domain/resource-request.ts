import type { RequestOf } from '#contracts/contract.js';
import type { brokerAllocate, QueueTurn } from '#contracts/broker.js';

/** What one attempt of a job needs, all of it at once. */
export type ResourceRequest = RequestOf<typeof brokerAllocate>;

/** A request that waits. The lower its `arrival`, the longer it has waited. */
export type WaitingRequest = ResourceRequest & QueueTurn & { readonly queuedAt: Date };

/** The order of the queue: a higher priority first, then whoever came first. */
export function byTurn(a: QueueTurn, b: QueueTurn): number {
  return b.priority - a.priority || a.arrival - b.arrival;
}

/** What a request needs of a unit. */
export interface Need {
  /** Stored bytes that it expects to write; 0: it says nothing. */
  readonly bytes: number;
  /** Streams that it allows on its drive, itself included; `Infinity`: it does not mind. */
  readonly streams: number;
}

export function needOf(request: ResourceRequest): Need {
  return { bytes: bytesOf(request), streams: multiplexingOf(request) ?? Infinity };
}

export function multiplexingOf(request: ResourceRequest): number | undefined {
  return request.purpose === 'write' ? request.multiplexing : undefined;
}

/** Stored bytes that a request expects to write; 0: it says nothing, or writes nothing. */
export function bytesOf(request: ResourceRequest): number {
  return request.purpose === 'read' ? 0 : (request.estimatedBytes ?? 0);
}
