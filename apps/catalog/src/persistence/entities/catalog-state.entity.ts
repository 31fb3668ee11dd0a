import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

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
