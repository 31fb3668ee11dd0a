import { isAbsolute, join } from 'node:path';
import { mediaName, poolName } from '#contracts/names.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

const DEDUPLICATES = 'dedup:';

export interface VolumePlan {
  readonly pool: string;
  /** Absolute. */
  readonly path: string;
  /** Default false. */
  readonly deduplicates?: boolean;
}

/** A media server of the cluster. Without a volume it is started elsewhere, and only admitted here. */
export interface MediaPlan {
  readonly mediaId: string;
  readonly volumes: readonly VolumePlan[];
  /** Folders of libraries with sequential volumes. */
  readonly libraries?: readonly VolumePlan[];
}

export interface MediaWishes {
  /** Of the first media server; default `media1`. */
  readonly mediaId?: string | undefined;
  /** Further volumes of the first one, each `POOL=FOLDER` or `POOL=dedup:FOLDER`. */
  readonly volumes?: readonly string[] | undefined;
  /** Libraries of the first one, each `POOL=FOLDER`. */
  readonly libraries?: readonly string[] | undefined;
  /** Further media servers, each `NAME` (started elsewhere) or `NAME:VOLUME[,VOLUME]`. */
  readonly mediaServers?: readonly string[] | undefined;
}

/** The media servers of a cluster, the first one with pool `main` in the data folder. */
export function mediaPlans(wishes: MediaWishes, mediaFolder: string): MediaPlan[] {
  const first: MediaPlan = {
    mediaId: nameOf(wishes.mediaId ?? 'media1'),
    volumes: [
      { pool: 'main', path: join(mediaFolder, 'main') },
      ...(wishes.volumes ?? []).map((text) => volumeOf(text)),
    ],
    ...(wishes.libraries && { libraries: wishes.libraries.map((one) => volumeOf(one, 'library')) }),
  };
  const plans = [first, ...(wishes.mediaServers ?? []).map(serverOf)];
  const twice = plans.find((one, at) => plans.findIndex((p) => p.mediaId === one.mediaId) < at);
  if (twice) throw wrong(`There are two media servers "${twice.mediaId}".`, 'media-server');
  return plans;
}

function serverOf(text: string): MediaPlan {
  const at = text.indexOf(':');
  if (at < 0) return { mediaId: nameOf(text), volumes: [] };
  const volumes = text
    .slice(at + 1)
    .split(',')
    .map((one) => volumeOf(one));
  return { mediaId: nameOf(text.slice(0, at)), volumes };
}

/** A volume as the configuration of a media server has it. */
export function volumeText({ pool, path, deduplicates }: VolumePlan): string {
  return `${pool}=${deduplicates ? DEDUPLICATES : ''}${path}`;
}

function volumeOf(text: string, kind: 'volume' | 'library' = 'volume'): VolumePlan {
  const at = text.indexOf('=');
  const pool = text.slice(0, at);
  const place = text.slice(at + 1);
  const deduplicates = kind === 'volume' && place.startsWith(DEDUPLICATES);
  const path = deduplicates ? place.slice(DEDUPLICATES.length) : place;
  if (at < 0 || !poolName.safeParse(pool).success || !isAbsolute(path) || /[,:]/.test(path)) {
    const form = kind === 'volume' ? 'POOL=FOLDER or POOL=dedup:FOLDER' : 'POOL=FOLDER';
    throw wrong(
      `"${text}" is no ${kind}; ${form} is, with an absolute path without "," and ":".`,
      kind,
    );
  }
  return { pool, path, ...(deduplicates && { deduplicates }) };
}

function nameOf(text: string): string {
  if (mediaName.safeParse(text).success) return text;
  throw wrong(`"${text}" cannot be a media server's name.`, 'media');
}

function wrong(message: string, field: string): PermanentError {
  return new PermanentError(STATUS.invalidParameter, message, field);
}
