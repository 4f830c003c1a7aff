-- Whether a group has members is asked by its name.
CREATE INDEX memberships_by_group ON memberships (group_name);
