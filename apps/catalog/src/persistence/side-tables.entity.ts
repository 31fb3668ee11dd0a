import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { FragmentCommit, Verdict } from '#contracts/fragment.js';

/**
 * A fragment that was offered and not taken, with the last verdict on it. Its bytes lie in
 * quarantine on its media server; asking for its status judges it again. Once it is of no use to
 * anybody it moves to the fragments, as DAMAGED and marked for deletion. An index on the offer's
 * image finds it.
 */
@Entity({ name: 'refused_fragment' })
@Index('refused_fragment_image', { synchronize: false })
export class RefusedFragmentRow {
  @PrimaryColumn({ name: 'fragment_id', type: 'uuid' })
  fragmentId!: string;

  @Column('text')
  verdict!: Verdict;

  @Column('jsonb')
  offer!: FragmentCommit;

  @Column({ name: 'refused_at', type: 'timestamptz', default: () => 'now()' })
  refusedAt!: Date;
}

/** A message that can never be handled: set aside so that it holds up no other, and kept. */
@Entity({ name: 'parked_message' })
export class ParkedMessageRow {
  @PrimaryColumn({ name: 'message_id', type: 'text' })
  messageId!: string;

  @Column('text')
  subject!: string;

  /** JSON, or empty where it was none. Text, because JSON can hold what jsonb cannot. */
  @Column('text')
  payload!: string;

  @Column('text')
  reason!: string;

  @Column('int')
  deliveries!: number;

  @Column({ name: 'parked_at', type: 'timestamptz', default: () => 'now()' })
  parkedAt!: Date;
}

/** That `image.completed` was announced: once for each image. The state itself is counted. */
@Entity({ name: 'image_completion' })
export class ImageCompletionRow {
  @PrimaryColumn({ name: 'image_id', type: 'text' })
  imageId!: string;

  @Column({ name: 'announced_at', type: 'timestamptz', default: () => 'now()' })
  announcedAt!: Date;
}

/** One row: which catalog this is. */
@Entity({ name: 'catalog_state' })
@Check('catalog_state_one_row', 'the_only')
export class CatalogStateRow {
  /** Always true: there is no second row. */
  @PrimaryColumn({ name: 'the_only', type: 'boolean' })
  theOnly!: boolean;

  /** Changes when the database went back in time or another one took its place. */
  @Column({ name: 'catalog_epoch', type: 'text' })
  catalogEpoch!: string;

  @Column({ name: 'made_at', type: 'timestamptz', default: () => 'now()' })
  madeAt!: Date;
}
