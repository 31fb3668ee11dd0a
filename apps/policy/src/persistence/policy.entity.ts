import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('policy')
export class PolicyEntity {
  @PrimaryColumn('text')
  name!: string;

  /** As it was put; read through the contract's schema, which fills in what came later. */
  @Column('jsonb')
  spec!: object;

  /** Jobs from before belong to an earlier policy of the same name. */
  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'changed_at' })
  changedAt!: Date;
}
