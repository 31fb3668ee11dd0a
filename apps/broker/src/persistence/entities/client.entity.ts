import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('client')
export class ClientEntity {
  @PrimaryColumn('text')
  client!: string;

  @Column('text')
  host!: string;

  @Column('text')
  version!: string;

  @Column('timestamptz', { name: 'last_seen_at' })
  lastSeenAt!: Date;
}
