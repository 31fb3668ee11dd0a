import type { UnitGroup } from '#contracts/broker/configuration.js';
import type { StorageUnit } from '#contracts/broker.js';

/** What a media server has of one pool: the roomiest of its volumes, which is where it writes. */
export interface ServerPool {
  readonly freeBytes: number;
  /** 0: it says nothing about its size. */
  readonly totalBytes: number;
  /** Shared by the jobs of all units on the pool; null for disks. */
  readonly drives: number | null;
  /** Why none of its volumes can be used just now, and which one. */
  readonly trouble?: string;
}

/** A media server as far as grants depend on it. */
export interface ServerResource {
  readonly mediaId: string;
  readonly lastSeenAt: Date;
  /** Nothing new is written there; it may be read. */
  readonly drained: boolean;
  /** The pools that it has at least one volume of, by name. */
  readonly pools: ReadonlyMap<string, ServerPool>;
}

/** A storage unit with the number of its slots that are taken. */
export interface UnitResource extends StorageUnit {
  readonly jobsActive: number;
  readonly drained: boolean;
  /** It has reached its high water mark, and was not below its low one since. */
  readonly full: boolean;
  /** The higher, the later it was chosen out of a group; 0 for never. */
  readonly chosen: number;
}

/** What running jobs have of a pool on one media server, through whatever unit. */
export interface PoolUse {
  /** Of each of them, how many streams it allows on its drive, itself included. */
  readonly streams: readonly number[];
  /** The sum of what they expect to write. */
  readonly bytes: number;
}

/** All that there is to hand out, at one moment. */
export interface Resources {
  readonly servers: ReadonlyMap<string, ServerResource>;
  readonly units: ReadonlyMap<string, UnitResource>;
  readonly groups: ReadonlyMap<string, UnitGroup>;
  /** By `poolKey`. */
  readonly poolUse: ReadonlyMap<string, PoolUse>;
  readonly clientLimits: ReadonlyMap<string, number>;
  /** For clients that stand not in the limits. */
  readonly clientJobsMax: number;
  /** Backups that run, by client and by policy. Nothing else counts for these limits. */
  readonly clientJobs: ReadonlyMap<string, number>;
  readonly policyJobs: ReadonlyMap<string, number>;
}

/** Names a pool on a media server: units of one share its volumes and its drives. */
export function poolKey({ mediaId, pool }: { mediaId: string; pool: string }): string {
  return `${mediaId}/${pool}`;
}
