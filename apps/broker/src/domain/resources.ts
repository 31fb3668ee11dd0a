/** A media server as far as grants depend on it. */
export interface ServerResource {
  readonly mediaId: string;
  readonly lastSeenAt: Date;
  /** Pools it has at least one volume of. */
  readonly pools: readonly string[];
}

/** A storage unit with the number of its slots that are taken. */
export interface UnitResource {
  readonly name: string;
  readonly mediaId: string;
  readonly pool: string;
  readonly jobsMax: number;
  readonly jobsActive: number;
  readonly fragmentBytesMax: number;
}

/** All that there is to hand out, at one moment. */
export interface Resources {
  readonly servers: ReadonlyMap<string, ServerResource>;
  readonly units: ReadonlyMap<string, UnitResource>;
}
