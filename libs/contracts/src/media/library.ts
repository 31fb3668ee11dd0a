import { z } from 'zod';
import { endpoint } from '../contract.js';
import { jobNumber, poolName, timestamp } from '../names.js';

const barcode = z.string().min(1).max(32);
const label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'a volume label has 1 to 32 letters, digits, . _ -');
/** Which library, where a media server has several. */
const ofPool = { pool: poolName.optional() };

/**
 * `scratch`: holds nothing that anybody may still want. `foreign`: not of this media server and pool;
 * it is never written.
 */
const libraryVolumeState = z.enum(['scratch', 'filling', 'full', 'suspended', 'foreign']);

export const libraryVolume = z.object({
  /** Its label, or the barcode of a cartridge without one. */
  volume: z.string(),
  barcode,
  /** Null for a cartridge without a label of ours. */
  volumeId: z.uuid().nullable(),
  state: libraryVolumeState,
  /** `slot 3`, `drive 1`, `mail`, or `outside` of the library. */
  place: z.string(),
  /** Where the next fragment goes. */
  position: z.int(),
  writtenBytes: z.int(),
  capacityBytes: z.int(),
  /** Those in the trash too. */
  fragments: z.int(),
  /** Why it is suspended or foreign. */
  reason: z.string(),
});
export type LibraryVolume = z.infer<typeof libraryVolume>;

export const libraryView = z.object({
  pool: poolName,
  path: z.string(),
  drives: z.array(z.object({ drive: z.int(), volume: z.string().nullable() })),
  slots: z.array(z.object({ slot: z.int(), volume: z.string().nullable() })),
  mail: z.array(barcode),
  volumes: z.array(libraryVolume),
});
export type LibraryView = z.infer<typeof libraryView>;

export const mountRequest = z.object({
  requestId: z.uuid(),
  pool: poolName,
  /** Any one of them will do. */
  volumes: z.array(z.object({ label: z.string(), barcode })),
  job: jobNumber,
  since: timestamp,
});
export type MountRequest = z.infer<typeof mountRequest>;

export const mediaLibrary = endpoint('media', 'library', {
  description: 'Libraries of this media server: drives, slots, volumes and what they hold',
  perInstance: true,
  request: z.object({}),
  response: z.object({ libraries: z.array(libraryView) }),
});

export const mediaMounts = endpoint('media', 'mounts', {
  description: 'Volumes that jobs wait for because they are not in the library',
  perInstance: true,
  request: z.object({}),
  response: z.object({ requests: z.array(mountRequest) }),
});

export const mediaMountAnswer = endpoint('media', 'mount-answer', {
  description: 'An operator answers a mount request: the volume is there, or will not come',
  perInstance: true,
  request: z.object({
    requestId: z.uuid(),
    /** `mounted` imports what lies in the mail slot, first. */
    action: z.enum(['mounted', 'cancel']),
    reason: z.string().max(500).default(''),
  }),
  response: z.object({ imported: z.array(barcode) }),
});

export const mediaLabel = endpoint('media', 'label', {
  description: 'Writes a label on the cartridge in a slot, which has to be blank or scratch',
  perInstance: true,
  request: z.object({ ...ofPool, slot: z.int().min(1).max(999), label }),
  response: z.object({ volume: libraryVolume }),
});

export const mediaLibraryInventory = endpoint('media', 'library-inventory', {
  description: 'Looks over the library and reads the labels of cartridges that are not known',
  perInstance: true,
  request: z.object(ofPool),
  response: z.object({ found: z.array(barcode) }),
});

export const mediaImport = endpoint('media', 'import', {
  description: 'Takes the cartridges in the mail slot into free slots and looks what they are',
  perInstance: true,
  request: z.object(ofPool),
  response: z.object({ imported: z.array(barcode) }),
});

export const mediaEject = endpoint('media', 'eject', {
  description: 'Puts a volume into the mail slot, for a person to take out of the library',
  perInstance: true,
  request: z.object({ ...ofPool, volume: z.string().min(1).max(32) }),
  response: z.object({ barcode }),
});

export const mediaRetire = endpoint('media', 'retire', {
  description:
    'Takes a cartridge that holds nothing out of use: into the mail slot, if it is here, and out of the list',
  perInstance: true,
  request: z.object({ ...ofPool, volume: z.string().min(1).max(32) }),
  response: z.object({
    barcode,
    /** `outside` for one that was not in the library. */
    place: z.enum(['mail', 'outside']),
  }),
});

export const mediaVolumeState = endpoint('media', 'volume-state', {
  description: 'Suspends a volume, so that nothing more is written to it, or ends that',
  perInstance: true,
  request: z.object({
    ...ofPool,
    volume: z.string().min(1).max(32),
    state: z.enum(['suspended', 'active']),
    reason: z.string().max(500).default('an operator said so'),
  }),
  response: z.object({ volume: libraryVolume }),
});
