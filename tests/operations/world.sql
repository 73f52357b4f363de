create table people (
    id integer primary key,
    name text not null,
    born date,
    mentor_id integer references people
);
create table films (
    id integer primary key,
    title text not null,
    budget numeric(12, 2),
    seen bigint not null default 0,
    rating double precision,
    released timestamptz,
    tags text[] not null default '{}',
    facts jsonb,
    token uuid not null default '00000000-0000-4000-8000-000000000001',
    is_classic boolean,
    owner integer,
    director_id integer not null references people,
    producer_id integer references people,
    decade integer generated always as (id * 10) stored
);
create table cast_members (
    film_id integer not null references films on delete cascade,
    person_id integer not null references people,
    part text,
    primary key (film_id, person_id)
);
create table notes (
    body text not null
);
create table audited (
    id integer primary key,
    note text,
    changes integer not null default 0
);
create function count_change() returns trigger language plpgsql as
    $$begin update audited set changes = changes + 1 where id = new.id; return null; end$$;
create trigger count_change after insert on audited for each row execute function count_change();
create view long_titles as select id, title from films where length(title) > 8;

insert into people values
    (1, 'Ada "the first" Åberg', '1920-02-29', null), (2, 'Bo', null, 1), (3, 'Cy\', '1950-01-01', 1);
insert into films (id, title, budget, seen, rating, released, tags, facts, is_classic, owner, director_id, producer_id)
values
    (1, 'Dusk', 10.50, 9007199254740993, 7.25, '1977-05-25 12:00:00+02', '{a,"b c"}', '{"k": [1, 2.50]}', true, 7, 1, 2),
    (2, 'It''s 100% late', null, 5, 'NaN', null, '{}', null, null, 7, 1, null),
    (3, 'Noon_and after', 99.99, 0, 'Infinity', 'infinity', '{x}', '"text"', false, 8, 2, 1);
insert into cast_members values (1, 2, 'lead'), (1, 3, null), (2, 3, 'lead');

create type size as enum ('small', 'middle', 'large');
create table shelves (
    code text primary key,
    size size,
    label varchar(12),
    height real,
    width smallint,
    depth smallint,
    weight numeric,
    opened date,
    cleaned time,
    lent interval,
    pages int4range,
    open daterange,
    marks int[] not null default '{}',
    facts jsonb,
    about text,
    found tsvector generated always as (to_tsvector('english', coalesce(about, ''))) stored,
    raw json
);
insert into shelves values
    ('a%1', 'small', 'Ä_one', 1.5, 10, 12, 100.25, '2020-01-01', '08:00', '1 day', '[1,5)', '[2020-01-01,2020-02-01)',
     '{1,2}', '{"a": {"b": [1, 2, "x"]}, "k": 5, "t": "Hello", "n": null}', 'The quick brown foxes jumped', default, '1'),
    ('a2', 'large', 'two', 0.1, 12, 12, null, '2021-06-01', '09:30', '36 hours', '[5,9)', null,
     '{2,3}', '{"a": {"b": []}, "k": "5", "t": "help"}', 'A lazy dog sleeps', default, '{"x": 1}'),
    ('b3', null, null, null, 12, null, 'NaN', null, null, null, 'empty', '(,)', '{}', null, null, default, null);
