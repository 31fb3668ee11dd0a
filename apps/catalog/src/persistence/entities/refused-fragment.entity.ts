import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
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
