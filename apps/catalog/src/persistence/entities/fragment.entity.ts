import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import type { FragmentView } from '#contracts/image.js';
import { ImageCopyRow } from './image-copy.entity.js';
import { asNumber } from '../numbers.js';

/**
 * One fragment of a copy, as its media server offered it. At most one per (image, copy, number) is
 * live: ACTIVE, or TO_BE_DELETED and so within reach of an undelete. The row stays when it is gone.
 */
@Entity({ name: 'fragment' })
@ForeignKey(() => ImageCopyRow, ['imageId', 'copy'], ['imageId', 'copy'], {
  name: 'fragment_image_copy',
})
@Index('fragment_live_number', ['imageId', 'copy', 'number'], {
  unique: true,
  where: `state IN ('ACTIVE', 'TO_BE_DELETED')`,
})
@Index('fragment_past_number', ['imageId', 'copy', 'number'], {
  where: `state IN ('DAMAGED', 'DELETING', 'DELETED')`,
})
@Index('fragment_index_to_load', ['mediaId', 'indexRetryAt', 'number'], {
  where: `index_loaded_at IS NULL AND state = 'ACTIVE'`,
})
@Index('fragment_to_delete', ['deletableAt'], { where: `state IN ('TO_BE_DELETED', 'DAMAGED')` })
@Index('fragment_granted', ['grantSentAt'], { where: `state = 'DELETING'` })
export class FragmentRow {
  @PrimaryColumn({ name: 'fragment_id', type: 'uuid' })
  fragmentId!: string;

  @Column({ name: 'image_id', type: 'text' })
  imageId!: string;

  @Column('int')
  copy!: number;

  @Column('int')
  number!: number;

  @Column({ type: 'bigint', transformer: asNumber })
  attempt!: number;

  @Column({ type: 'text', default: 'ACTIVE' })
  state!: FragmentView['state'];

  @Column({ name: 'media_id', type: 'text' })
  mediaId!: string;

  @Column('text')
  pool!: string;

  @Column({ name: 'archive_offset', type: 'bigint', transformer: asNumber })
  archiveOffset!: number;

  @Column({ name: 'archive_bytes', type: 'bigint', transformer: asNumber })
  archiveBytes!: number;

  @Column({ name: 'stored_bytes', type: 'bigint', transformer: asNumber })
  storedBytes!: number;

  /** BLAKE3 of the data object, hex. */
  @Column('text')
  digest!: string;

  @Column({ name: 'index_bytes', type: 'bigint', transformer: asNumber })
  indexBytes!: number;

  @Column({ name: 'index_digest', type: 'text' })
  indexDigest!: string;

  @Column('int')
  frames!: number;

  @Column('boolean')
  last!: boolean;

  @Column({ name: 'sealed_at', type: 'timestamptz' })
  sealedAt!: Date;

  @Column({ name: 'committed_at', type: 'timestamptz', default: () => 'now()' })
  committedAt!: Date;

  @Column({ name: 'index_loaded_at', type: 'timestamptz', nullable: true })
  indexLoadedAt!: Date | null;

  /** Why the last try to load the index failed. */
  @Column({ name: 'index_error', type: 'text', nullable: true })
  indexError!: string | null;

  @Column({ name: 'index_failures', type: 'int', default: 0 })
  indexFailures!: number;

  @Column({ name: 'index_retry_at', type: 'timestamptz', default: () => 'now()' })
  indexRetryAt!: Date;

  /** In words, why it is in its state; empty where there is no more to say. */
  @Column({ name: 'state_reason', type: 'text', default: '' })
  stateReason!: string;

  /**
   * Set once it is of no use, though its bytes may be whole: a later attempt of its backup writes its
   * number anew, or it was never taken. It is DAMAGED then, and never becomes ACTIVE.
   */
  @Column({ name: 'given_up_at', type: 'timestamptz', nullable: true })
  givenUpAt!: Date | null;

  /** When its grace period ends, where it is marked for deletion: TO_BE_DELETED, or DAMAGED. */
  @Column({ name: 'deletable_at', type: 'timestamptz', nullable: true })
  deletableAt!: Date | null;

  /** The grant. Never taken back, never changed. */
  @Column({ name: 'tombstone_id', type: 'uuid', nullable: true })
  tombstoneId!: string | null;

  @Column({ name: 'granted_at', type: 'timestamptz', nullable: true })
  grantedAt!: Date | null;

  /** When the grant was sent last. */
  @Column({ name: 'grant_sent_at', type: 'timestamptz', nullable: true })
  grantSentAt!: Date | null;

  /** When its media server said that its bytes are gone. */
  @Column({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;
}
