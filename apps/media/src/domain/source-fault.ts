import { PermanentError, Unavailable } from '#kernel/errors.js';

/**
 * What a failure says of a source.
 *
 * `damaged`: this fragment cannot be read there, or is not what was committed: the catalog is told.
 * `lost`: its media server cannot be reached; of the fragment that says nothing.
 */
export type SourceFault = 'damaged' | 'lost';

const DAMAGE = new Set(['FragmentUnreadable', 'FragmentDamaged', 'RangeUnreadable']);
const WRITING = new Set(['VolumeFull', 'VolumeWriteFailed']);
const CONVERSATION = new Set(['PeerFailure', 'ProtocolError']);

/** Undefined: the failure is not the source's (a full volume, a bug, the end of the attempt). */
export function sourceFault(error: unknown): SourceFault | undefined {
  if (!(error instanceof PermanentError || error instanceof Unavailable)) return undefined;
  if (DAMAGE.has(error.name)) return 'damaged';
  if (WRITING.has(error.name)) return undefined;
  if (error instanceof Unavailable || CONVERSATION.has(error.name)) return 'lost';
  return undefined;
}
