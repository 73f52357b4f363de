select '{"affected_rows":' || 0::text || ',"returning":[]}'
