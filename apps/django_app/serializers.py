from django.core.validators import RegexValidator
from rest_framework import serializers

from schemas import BIGINT_MAX, EMAIL


class Digits(serializers.IntegerField):
    def to_internal_value(self, data):
        if not (data.isascii() and data.isdecimal()):
            self.fail("invalid")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PageSerializer(serializers.Serializer):
    limit = Digits(default=20, min_value=1, max_value=100)
    after = Digits(default=0, min_value=0, max_value=BIGINT_MAX)

    def get_fields(self):
        # A word of Python's own.
        return {**super().get_fields(), "with": serializers.ChoiceField(["posts"], default=None)}


class FeedSerializer(serializers.Serializer):
    limit = Digits(default=20, min_value=1, max_value=100)
    author = Digits(default=None, min_value=1, max_value=BIGINT_MAX)


class WaitSerializer(serializers.Serializer):
    ms = Digits(default=50, min_value=0, max_value=1000)


class PaceSerializer(serializers.Serializer):
    n = Digits(default=20, min_value=1, max_value=100)
    every_ms = Digits(default=20, min_value=0, max_value=100)


class UserSerializer(serializers.Serializer):
    id = serializers.IntegerField(read_only=True)
    name = Text(max_length=100, trim_whitespace=False)
    email = Text(max_length=254, trim_whitespace=False, validators=[RegexValidator(rf"^{EMAIL}\Z")])


class TitleSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()


class UserWithPostsSerializer(UserSerializer):
    posts = TitleSerializer(many=True)


class AuthorSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class PostSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    body = serializers.CharField()
    author = AuthorSerializer()
