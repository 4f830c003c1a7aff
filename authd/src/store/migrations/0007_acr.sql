-- In which class the provider put the sign-in (`acr`), where it said so: rules may ask for one.

ALTER TABLE sessions ADD COLUMN acr TEXT;
