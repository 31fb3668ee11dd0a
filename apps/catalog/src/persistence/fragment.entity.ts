import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import type { FragmentView } from '#contracts/image.js';
import { ImageCopyRow } from './image-copy.entity.js';
import { asNumber } from './numbers.js';

/**
 * One fragment of a copy, as its media server offered it. At most one per (image, copy, number) is
 * live: ACTIVE, or TO_BE_DELETED and so within reach of an undelete.
 */
@Entity({ name: 'fragment' })
@ForeignKey(() => ImageCopyRow, ['imageId', 'copy'], ['imageId', 'copy'], {
  name: 'fragment_image_copy',
})
@Index('fragment_live_number', ['imageId', 'copy', 'number'], {
  unique: true,
  where: `state IN ('ACTIVE', 'TO_BE_DELETED')`,
})
@Index('fragment_index_to_load', ['indexRetryAt'], {
  where: `index_loaded_at IS NULL AND state = 'ACTIVE'`,
})
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
}
