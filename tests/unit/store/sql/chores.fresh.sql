SELECT FROM notify.chore WHERE name = :name AND error IS NULL
        AND finished_at - took_ms * interval '1 ms' > clock_timestamp() - make_interval(secs => :within)
