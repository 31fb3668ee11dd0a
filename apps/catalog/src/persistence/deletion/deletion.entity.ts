import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { FragmentRow } from '../entities/fragment.entity.js';
import { ImageRow } from '../entities/image.entity.js';
import { asNumber } from '../numbers.js';

/** A running job reads the fragment: nobody lets go of it. Ended by the job's end, never by time. */
@Entity({ name: 'pin' })
@ForeignKey(() => FragmentRow, ['fragmentId'], ['fragmentId'], { name: 'pin_fragment' })
@Index('pin_job', ['job'])
export class PinRow {
  @PrimaryColumn({ name: 'fragment_id', type: 'uuid' })
  fragmentId!: string;

  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  job!: number;

  @Column({ name: 'pinned_at', type: 'timestamptz', default: () => 'now()' })
  pinnedAt!: Date;
}

/** A person forbids the deletion of an image until the hold is lifted. */
@Entity({ name: 'image_hold' })
@ForeignKey(() => ImageRow, ['imageId'], ['imageId'], { name: 'image_hold_image' })
export class ImageHoldRow {
  @PrimaryColumn({ name: 'image_id', type: 'text' })
  imageId!: string;

  @PrimaryColumn('text')
  hold!: string;

  @Column('text')
  reason!: string;

  @Column({ name: 'held_at', type: 'timestamptz', default: () => 'now()' })
  heldAt!: Date;
}
