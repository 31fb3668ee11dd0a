import type { ResourceRequest, WaitingRequest } from '../domain/resource-request.js';

/** A row of `waiting` as pg hands it over; out of JSON, numbers and times are what JSON has for them. */
export interface WaitingRow {
  readonly arrival: string;
  readonly job: string;
  readonly attempt: string;
  readonly purpose: ResourceRequest['purpose'];
  readonly client: string;
  readonly unit: string | null;
  readonly pool: string | null;
  readonly media: string[] | null;
  readonly any_of: string[][] | null;
  readonly priority: string;
  readonly policy: string | null;
  readonly policy_jobs_max: number | null;
  readonly estimated_bytes: string;
  readonly multiplexing: number | null;
  readonly queued_at: Date | string;
}

export function toWaiting(row: WaitingRow): WaitingRequest {
  const shared = {
    job: Number(row.job),
    attempt: Number(row.attempt),
    client: row.client,
    priority: Number(row.priority),
    arrival: Number(row.arrival),
    queuedAt: new Date(row.queued_at),
  };
  const policy = row.policy === null ? {} : { policy: row.policy };
  const estimatedBytes = Number(row.estimated_bytes);
  switch (row.purpose) {
    case 'write': {
      const max = row.policy_jobs_max === null ? {} : { policyJobsMax: row.policy_jobs_max };
      return {
        ...{ ...shared, ...policy, ...max, estimatedBytes },
        ...(row.multiplexing === null ? {} : { multiplexing: row.multiplexing }),
        ...{ purpose: 'write', unit: row.unit ?? '' },
        ...(row.any_of ? { anyOf: row.any_of } : {}),
      };
    }
    case 'read':
      return {
        ...{ ...shared, purpose: 'read', media: row.media ?? [] },
        ...(row.any_of ? { anyOf: row.any_of } : {}),
      };
    case 'duplicate':
      return {
        ...{ ...shared, ...policy, estimatedBytes },
        ...{ purpose: 'duplicate', pool: row.pool ?? '', sources: row.media ?? [] },
      };
    default:
      return row.purpose satisfies never;
  }
}

/** What the columns hold of a request that only some purposes have. */
export interface Needs {
  readonly unit: string | null;
  readonly pool: string | null;
  readonly media: readonly string[] | null;
  readonly anyOf: readonly (readonly string[])[] | null;
  readonly policy: string | null;
  readonly policyJobsMax: number | null;
  readonly multiplexing: number | null;
}

export function needsOf(request: ResourceRequest): Needs {
  const nothing = { unit: null, pool: null, media: null, anyOf: null, multiplexing: null };
  switch (request.purpose) {
    case 'write': {
      const { unit, policy = null, policyJobsMax = null } = request;
      const { multiplexing = null, anyOf = null } = request;
      return { ...nothing, unit, policy, policyJobsMax, multiplexing, anyOf };
    }
    case 'read': {
      const { media, anyOf = null } = request;
      return { ...nothing, media, anyOf, policy: null, policyJobsMax: null };
    }
    case 'duplicate': {
      const { pool, sources: media, policy = null } = request;
      return { ...nothing, pool, media, policy, policyJobsMax: null };
    }
    default:
      return request satisfies never;
  }
}
