//! JSON, HTML and line-based serializers for every structure family.
